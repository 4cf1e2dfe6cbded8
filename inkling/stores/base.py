"""The contract of the change log: one log, one order, durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

Version: TypeAlias = int
Kind = Literal[
    "events",
    "items",
    "users",
    "delete_items",
    "patch_items",
    "patch_users",
    "merge",
    "impressions",
    "erase",
    "bundle",
    "experiments",
]


class Changes(msgspec.Struct, frozen=True):
    """One block of changes of one kind, appended whole or not at all.

    ``rows`` are plain dictionaries: events as on the wire (``user_id``, ``item_id``, ``event``, ``timestamp`` in
    milliseconds, ...), items and users with their attributes, deletions as ``{"item_id": ...}``, erasures as
    ``{"user_id": ...}``. ``version`` is the log's position after the block: it grows by one a row; 0 until appended.
    """

    kind: Kind
    rows: tuple[dict[str, Any], ...]
    version: Version = 0
    ts: int = 0
    """When it was appended, UTC epoch milliseconds."""


@runtime_checkable
class ChangeLog(Protocol):
    """Append-only, in one order. What is acknowledged is durable as the address promises.

    ``append_many`` writes several blocks in one durable commit. ``erase_user`` rewrites the log without a person's
    rows and returns how many it removed. ``duplicates`` tells which event ids are already in the log.
    """

    def append(self, changes: Changes) -> Version: ...
    def append_many(self, blocks: Sequence[Changes]) -> Version: ...
    def scan(self, *, since: Version = 0) -> Iterator[Changes]: ...
    def erase_user(self, user_id: str) -> int: ...
    def duplicates(self, event_ids: Sequence[str]) -> set[str]: ...
    @property
    def version(self) -> Version: ...
    def close(self) -> None: ...
