"""A folder of bundles with a pointer to the one that answers; the others are kept to go back to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inkling.core.errors import BundleError
from inkling.engine.bundle import Bundle
from inkling.stores.artifacts import MANIFEST
from inkling.stores.records import sync_folder

POINTER = "current.json"
KEEP = 3
"""Bundles before the current one that are kept."""
_NOTES = 100


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``current.json`` says."""

    current: str = ""
    """Name of the folder of the bundle that answers; empty is the bundle that all began with."""
    before: tuple[str, ...] = ()
    """Those that answered before, the newest last."""
    notes: tuple[dict[str, Any], ...] = ()
    """What was tried: bundle, accepted, why, and what was measured."""


class Bundles:
    """Bundles beside each other. Given a single bundle, the folder is the one named after it with ``.bundles``."""

    def __init__(self, place: str | Path) -> None:
        """Take a bundle, or a folder of bundles."""
        path = Path(place)
        single = (path / MANIFEST).is_file()
        self.origin = path if single else None
        self.folder = path.with_name(path.name + ".bundles") if single else path

    def pointer(self) -> Pointer:
        """Return what the pointer says.

        Raises:
            BundleError: It is damaged.
        """
        path = self.folder / POINTER
        if not path.is_file():
            return Pointer()
        try:
            return msgspec.json.decode(path.read_bytes(), type=Pointer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleError(f"{path} is damaged: {error}.", hint="Name one of the bundles beside it.") from error

    def current(self) -> Path:
        """Return the folder of the bundle that answers.

        Raises:
            BundleError: There is none.
        """
        return self.path(self.pointer().current)

    def path(self, name: str) -> Path:
        """Return a bundle's folder by its name; empty is the bundle that all began with.

        Raises:
            BundleError: There is no such bundle.
        """
        found = self.folder / name if name else self.origin
        if found is None or not (found / MANIFEST).is_file() or Path(name).name != name:
            raise BundleError(
                f"There is no bundle '{name}' in {self.folder}.", hint="Make one: `inkling fit DATA --out BUNDLE`."
            )
        return found

    def add(self, bundle: Bundle, note: Mapping[str, Any]) -> Path:
        """Write a bundle beside the others and point to it; the oldest leave. Return its folder."""
        path = self.folder / bundle.id
        bundle.write(path)
        old = self.pointer()
        before = (*old.before, old.current)
        self._write(
            msgspec.structs.replace(
                old, current=bundle.id, before=before[-KEEP:], notes=_noted(old, {**note, "bundle": bundle.id})
            )
        )
        for name in before[:-KEEP]:
            if name:
                shutil.rmtree(self.folder / name, ignore_errors=True)
        return path

    def note(self, note: Mapping[str, Any]) -> None:
        """Keep what was tried and not taken."""
        old = self.pointer()
        self._write(msgspec.structs.replace(old, notes=_noted(old, note)))

    def rollback(self, why: str = "asked for") -> Path:
        """Point to the bundle before the current one again; return its folder.

        Raises:
            BundleError: There is none.
        """
        old = self.pointer()
        if not old.before:
            raise BundleError("There is no bundle to go back to.", hint="None was accepted since the first.")
        path = self.path(old.before[-1])
        notes = _noted(old, {"bundle": old.before[-1], "rolled_back": old.current, "why": why})
        self._write(Pointer(current=old.before[-1], before=old.before[:-1], notes=notes))
        return path

    def _write(self, pointer: Pointer) -> None:
        """Write the pointer whole or not at all."""
        beside = self.folder / f".{POINTER}.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(pointer), indent=2))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.folder / POINTER)
        except OSError as error:
            raise BundleError(f"{self.folder} cannot be written: {error.strerror}.") from error
        sync_folder(self.folder)


def _noted(pointer: Pointer, note: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    return (*pointer.notes, dict(note))[-_NOTES:]
