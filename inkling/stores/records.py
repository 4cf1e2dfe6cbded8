"""The form of a record on disk: framed, checked, hashed; and what SQLite's complaints mean."""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from hashlib import blake2b
from pathlib import Path

from inkling.core.errors import StoreError

_HEAD = struct.Struct("<II")  # length and CRC-32 of what follows; zeros fill the rest of a block that was rewritten
_HINTS = (
    ("not a database", "The file is something else; name another folder."),
    ("malformed", "The file is damaged or cut; restore it from a backup."),
    ("disk i/o error", "The file is damaged or cut, or the disk fails; restore it from a backup."),
    ("readonly", "The file or its folder cannot be written; check its permissions, or open it with read_only=True."),
    ("unable to open", "Check that the folder exists and can be written."),
    ("full", "Free some space; nothing of this write was kept."),
    ("locked", "Another process has been writing for long; try again."),
    ("closed database", "The log is closed; open it again with open_log."),
)


def frame(payload: bytes, *, size: int = 0) -> bytes:
    """Return a payload with its length and checksum, filled with zeros up to ``size`` bytes."""
    return (_HEAD.pack(len(payload), zlib.crc32(payload)) + payload).ljust(size, b"\0")


def unframe(record: bytes) -> bytes:
    """Return the payload of a record.

    Raises:
        StoreError: The record is cut or altered.
    """
    if len(record) >= _HEAD.size:
        size, checksum = _HEAD.unpack_from(record)
        payload = record[_HEAD.size : _HEAD.size + size]
        if len(payload) == size and zlib.crc32(payload) == checksum:
            return payload
    raise StoreError("A block of the log is damaged: its checksum differs.", hint="Restore the store from a backup.")


def digest(key: str) -> bytes:
    """Return 16 bytes that stand for an event id: two ids never share them in practice."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def short_hash(key: str) -> int:
    """Return 8 bytes as an integer: enough to find blocks; whose a row is, the row itself says."""
    hashed = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "little", signed=True)


def store_error(path: Path, what: str, error: sqlite3.Error) -> StoreError:
    """Return what an error of SQLite means, and what to do."""
    said = str(error).lower()
    hint = next((hint for sign, hint in _HINTS if sign in said), "")
    return StoreError(f"{path} cannot be {what}: {error}.", hint=hint)


def sync_folder(folder: Path) -> None:
    """Make a folder's list of files durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)
