"""Typed settings: each field is written once, an unknown key is an error that shows the way."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from inkling.core.errors import ConfigError, nearest

C = TypeVar("C", bound="Config")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings. Subclasses state fields with a type, a default and one line of meaning under each."""


def parse(cls: type[C], settings: Mapping[str, Any], *, where: str = "settings") -> C:
    """Return ``settings`` as a checked ``cls``.

    Args:
        cls: The settings' type.
        settings: Plain data, as read from TOML or JSON.
        where: What the settings belong to, for the message.

    Raises:
        ConfigError: A key is unknown or a value is of the wrong type or out of range.
    """
    _check_keys(cls, settings, where)
    try:
        return msgspec.convert(dict(settings), cls, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}.") from error


def _check_keys(cls: type[Any], settings: Mapping[str, Any], where: str) -> None:
    """Name the whole path and the nearest spelling, which msgspec's own message does not."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(f"{where}: unknown key '{key}'.", hint=nearest(str(key), fields))
        for inner, path in _nested(fields[key], value, f"{where}.{key}"):
            _check_keys(*inner, path)


def _nested(kind: Any, value: Any, path: str) -> list[tuple[tuple[type[Any], Mapping[str, Any]], str]]:
    """Return the settings inside a value, each with its type and path: one struct, or named ones in a dictionary."""
    if not isinstance(value, Mapping):
        return []
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [((kind, value), path)]
    inner = get_args(kind)[1] if get_origin(kind) is dict else None
    return [found for name, each in value.items() for found in _nested(inner, each, f"{path}.{name}")] if inner else []


def override(config: C, changes: Mapping[str, Any], *, where: str = "settings") -> C:
    """Return ``config`` with dotted keys replaced, as in ``{"retrieval.k": "100"}``; values may be strings.

    Raises:
        ConfigError: A key is unknown or a value does not fit.
    """
    tree: dict[str, Any] = msgspec.to_builtins(config)
    for path, value in changes.items():
        node: Any = tree
        *parents, leaf = path.split(".")
        for parent in parents:
            node = node.setdefault(parent, {}) if isinstance(node, dict) else None
            if not isinstance(node, dict):
                raise ConfigError(f"{where}: '{path}' leads into '{parent}', which has no settings of its own.")
        node[leaf] = _literal(value)
    return parse(type(config), tree, where=where)


def _literal(value: Any) -> Any:
    """Read ``--set key=[1,2]`` as a list and ``--set key=true`` as a truth value; leave other strings alone."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return value


def to_dict(config: Config) -> dict[str, Any]:
    """Return the resolved settings as plain data, to be printed and saved."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    return plain


def read_toml(cls: type[C], path: Path) -> C:
    """Read settings from a TOML file.

    Raises:
        ConfigError: The file is no TOML, or its content does not fit ``cls``.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}.") from error
    return parse(cls, settings, where=path.name)
