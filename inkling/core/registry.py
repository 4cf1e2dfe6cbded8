"""The folder is the catalogue: a name is a file, and strangers come in through the same door.

An entry point in a group such as ``inkling.retrieval`` names either a *package*, whose files are then names, or one
class (``acme.models:Best``), whose entry-point name is its name. Inkling's own folders are registered that way too.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any

from inkling.core.errors import ConfigError, nearest

_NOT_NAMES = frozenset({"base", "reference"})


class Registry:
    """Names of one kind of thing, found in its folder and in installed packages' entry points."""

    def __init__(self, package: str, *, kind: str) -> None:
        """Look up ``kind`` (a word for messages) in ``package``, which is also the entry-point group."""
        self.package = package
        self.kind = kind

    @cached_property
    def _places(self) -> dict[str, str]:
        """Return name -> "module" or "module:attribute"."""
        values = {self.package, *(point.value for point in entry_points(group=self.package) if ":" not in point.value)}
        places = {name: f"{value}.{name}" for value in sorted(values) for name in _files(value)}
        return places | {point.name: point.value for point in entry_points(group=self.package) if ":" in point.value}

    def names(self) -> list[str]:
        """Return all registered names, sorted."""
        return sorted(self._places)

    def get(self, name: str) -> Any:
        """Return the class registered under ``name``.

        Raises:
            ConfigError: There is no such name.
        """
        if name not in self._places:
            raise ConfigError(f"There is no {self.kind} named '{name}'.", hint=nearest(name, self._places))
        module_name, _, attribute = self._places[name].partition(":")
        module = importlib.import_module(module_name)
        if attribute:
            return getattr(module, attribute)
        own = [thing for thing in vars(module).values() if _is_named(thing, name, module_name)]
        if len(own) != 1:
            raise ConfigError(f"{module_name} must define one class with name = '{name}', found {len(own)}.")
        return own[0]


def _files(package: str) -> list[str]:
    path = getattr(importlib.import_module(package), "__path__", ())
    return [
        m.name
        for m in pkgutil.iter_modules(path)
        if m.name not in _NOT_NAMES and not m.name.startswith("_") and not m.ispkg
    ]


def _is_named(thing: object, name: str, module_name: str) -> bool:
    return isinstance(thing, type) and vars(thing).get("name") == name and thing.__module__ == module_name
