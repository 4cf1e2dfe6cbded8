"""What a log keeps of a block: its rows as bytes, whose they are, and which event ids they carry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from inkling.core.errors import StoreError, nearest
from inkling.stores.base import Changes, Kind

KINDS: frozenset[str] = frozenset(get_args(Kind))
PERSON, SESSION = "u:", "s:"

Row = dict[str, Any]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[dict[str, Any]])
_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


@dataclass(frozen=True, slots=True)
class Packed:
    """A block ready to be written: ``owners`` are the keys of the people and sessions that its rows belong to."""

    kind: Kind
    ts: int
    n_rows: int
    payload: bytes
    owners: frozenset[str]
    event_ids: tuple[str, ...]


def pack(changes: Changes, *, now_ms: int) -> Packed:
    """Return ``changes`` as bytes with its index entries; a ``ts`` of 0 becomes ``now_ms``.

    Raises:
        StoreError: The kind is unknown, or a row holds something that plain data cannot say.
    """
    if changes.kind not in KINDS:
        raise StoreError(f"There is no kind of change named '{changes.kind}'.", hint=nearest(changes.kind, KINDS))
    owners = frozenset(key for row in changes.rows if (key := owner_of(row)) is not None)
    event_ids = tuple(event_ids_of(changes.rows)) if changes.kind == "events" else ()
    return Packed(changes.kind, changes.ts or now_ms, len(changes.rows), encode(changes.rows), owners, event_ids)


def encode(rows: Collection[Row]) -> bytes:
    """Return rows as MessagePack.

    Raises:
        StoreError: A row holds something that plain data cannot say.
    """
    try:
        return _encoder.encode(rows)
    except _UNWRITABLE as error:
        raise StoreError(
            f"A row cannot be written to the log: {error}.", hint="Rows hold text, numbers, lists and dictionaries."
        ) from error


def decode(payload: bytes) -> tuple[Row, ...]:
    """Return the rows of an encoded block.

    Raises:
        StoreError: The bytes are not what ``encode`` wrote.
    """
    try:
        return tuple(_decoder.decode(payload))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"A block of the log is damaged: {error}.", hint="Restore the store from a backup.") from error


def owner_of(row: Mapping[str, Any]) -> str | None:
    """Return the key of the person, or else of the anonymous session, that a row belongs to; None for items.

    Raises:
        StoreError: The id is not text.
    """
    for name, prefix in (("user_id", PERSON), ("session_id", SESSION)):
        key = row.get(name)
        if key is None or key == "":
            continue
        if not isinstance(key, str):
            raise StoreError(f"A row's {name} is {key!r}; ids in the log are text.", hint="Write it as a string.")
        return prefix + key
    return None


def merged_sessions(rows: Iterable[Mapping[str, Any]], user_id: str) -> set[str]:
    """Return the sessions that merge rows made a person's own."""
    return {str(row["session_id"]) for row in rows if row.get("user_id") == user_id and row.get("session_id")}


def event_ids_of(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield the event ids of rows that carry one."""
    return (str(row["event_id"]) for row in rows if row.get("event_id"))


def without(rows: Iterable[Row], owners: Collection[str]) -> tuple[list[Row], list[Row]]:
    """Return the rows that belong to none of ``owners``, and those that do."""
    kept: list[Row] = []
    removed: list[Row] = []
    for row in rows:
        (removed if owner_of(row) in owners else kept).append(row)
    return kept, removed
