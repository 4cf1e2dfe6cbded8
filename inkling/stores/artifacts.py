"""A folder of plain data that is written whole or not at all, and read only as it was written."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import msgspec
import numpy as np

from inkling.core.arrays import Array
from inkling.core.errors import BundleError
from inkling.stores.records import sync_folder
from inkling.stores.tensors import read_tensors, write_tensors

MANIFEST = "manifest.json"
FORMAT = 1
Content: TypeAlias = bytes | str | Array | Mapping[str, Array]


class FileInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file must be."""

    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a folder holds; ``about`` is its writer's own plain data."""

    format: int
    kind: str
    files: dict[str, FileInfo]
    about: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The verified content of a folder. Arrays are read only."""

    kind: str
    about: Mapping[str, Any]
    files: Mapping[str, bytes] = field(repr=False)

    def content(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            BundleError: There is no such file.
        """
        if name not in self.files:
            raise BundleError(
                f"The {self.kind} has no file '{name}'.", hint=f"It has: {', '.join(sorted(self.files))}."
            )
        return self.files[name]

    def text(self, name: str) -> str:
        """Return a file's text."""
        return self.content(name).decode()

    def array(self, name: str) -> Array:
        """Return the array of a ``.npy`` file.

        Raises:
            BundleError: The file is no array of plain numbers.
        """
        try:
            return np.asarray(np.load(BytesIO(self.content(name)), allow_pickle=False))
        except (ValueError, EOFError) as error:
            raise BundleError(f"'{name}' is no array of plain numbers: {error}.", hint="Write it again.") from error

    def tensors(self, name: str) -> dict[str, Array]:
        """Return the arrays of a ``.safetensors`` file."""
        return read_tensors(self.content(name), where=f"'{name}'")


class ArtifactBox:
    """Writes and reads folders of one kind, such as "bundle". The manifest names each file with size and SHA-256."""

    def __init__(self, kind: str = "bundle", *, format_: int = FORMAT) -> None:
        """Choose the kind and the number of its format: another one is refused when read."""
        self.kind = kind
        self._format = format_

    def write(
        self,
        folder: str | os.PathLike[str],
        files: Mapping[str, Content],
        *,
        about: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> Manifest:
        """Write a folder: beside its place first, then renamed into it, its manifest last.

        Args:
            folder: Where it shall be.
            files: Name (may have folders, as in "models/ease.safetensors") -> bytes, text, an array (".npy") or named
                arrays (".safetensors").
            about: Plain data for the manifest.
            replace: Put it in the place of a folder of the same kind.

        Raises:
            BundleError: The place is taken, a name or a content does not fit, or the disk refuses; nothing is changed.
        """
        target = Path(folder)
        self._check_place(target, replace=replace)
        contents = {_checked(name): _as_bytes(name, content) for name, content in files.items()}
        infos = {name: FileInfo(hashlib.sha256(data).hexdigest(), len(data)) for name, data in contents.items()}
        manifest = Manifest(format=self._format, kind=self.kind, files=infos, about=dict(about or {}))
        try:
            text = msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise BundleError(f"What the manifest says is no plain data: {error}.") from error
        try:
            _write_folder(target, {**contents, MANIFEST: text})
        except OSError as error:
            raise BundleError(f"{target} cannot be written: {error.strerror}.", hint="Nothing was changed.") from error
        return manifest

    def _check_place(self, target: Path, *, replace: bool) -> None:
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            return
        if not replace:
            raise BundleError(f"{target} exists already.", hint="Name another folder, or replace it.")
        if not target.is_dir():
            raise BundleError(f"{target} is a file, not a {self.kind}.", hint="Name another folder.")
        self.manifest(target)

    def manifest(self, folder: str | os.PathLike[str]) -> Manifest:
        """Return what a folder's manifest says, without looking at the files.

        Raises:
            BundleError: There is none, or it is of another kind or format.
        """
        path = Path(folder) / MANIFEST
        try:
            raw = msgspec.json.decode(path.read_bytes())
        except OSError as error:
            raise BundleError(
                f"There is no {self.kind} at {folder}: {MANIFEST}: {error.strerror}.", hint="Check the path."
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleError(f"{path} is damaged: {error}.", hint="Copy or write it again.") from error
        seen = (raw.get("kind"), raw.get("format")) if isinstance(raw, dict) else (None, None)
        if seen != (self.kind, self._format):
            raise BundleError(
                f"{folder} is of kind {seen[0]!r}, format {seen[1]!r}; expected {self.kind!r}, format {self._format}.",
                hint="Write it again with this version.",
            )
        try:
            return msgspec.convert(raw, Manifest)
        except msgspec.ValidationError as error:
            raise BundleError(f"{path} is damaged: {error}.", hint="Copy or write it again.") from error

    def read(self, folder: str | os.PathLike[str]) -> Artifacts:
        """Return a folder's content once every file is what the manifest says, and no other is there.

        Raises:
            BundleError: A file is missing, truncated, altered or unknown, or the manifest is not ours.
        """
        root = Path(folder)
        manifest = self.manifest(root)
        there = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
        if extra := sorted(there - {MANIFEST, *manifest.files}):
            raise BundleError(
                f"{root} holds files that it was not written with: {', '.join(extra)}.", hint="Remove them."
            )
        files = {_checked(name): _read_file(root / name, info) for name, info in manifest.files.items()}
        return Artifacts(manifest.kind, manifest.about, files)


def _checked(name: str) -> str:
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or str(path) != name
    if odd or name in ("", ".", MANIFEST):
        raise BundleError(f"'{name}' is no name of a file inside the folder.", hint="Write such as 'models/a.npy'.")
    return name


def _as_bytes(name: str, content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    suffix = PurePosixPath(name).suffix
    if isinstance(content, np.ndarray) and suffix == ".npy" and not content.dtype.hasobject:
        buffer = BytesIO()
        np.save(buffer, content, allow_pickle=False)
        return buffer.getvalue()
    if isinstance(content, Mapping) and suffix == ".safetensors":
        return write_tensors(content)
    raise BundleError(
        f"'{name}' cannot hold {type(content).__name__}.",
        hint="Bytes and text go anywhere, an array of numbers into .npy, named arrays into .safetensors.",
    )


def _write_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write every file durably beside the target, then rename; what was there goes last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    fresh, old = (target.with_name(f".{target.name}.{mark}.{word}") for word in ("new", "old"))
    try:
        for name, data in contents.items():
            _write_file(fresh / name, data)
        for path in (fresh, *(path for path in fresh.rglob("*") if path.is_dir())):
            sync_folder(path)
        if target.exists():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        sync_folder(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_file(path: Path, info: FileInfo) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} is missing: {error.strerror}.", hint="Copy the folder again.") from error
    if len(data) != info.size:
        raise BundleError(f"{path} has {len(data)} bytes instead of {info.size}.", hint="It is cut; copy it again.")
    if hashlib.sha256(data).hexdigest() != info.sha256:
        raise BundleError(f"{path} was altered: its checksum differs.", hint="Copy or write it again.")
    return data
