"""A change log in memory: the same order and the same answers as on disk, gone with the process."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from inkling.core.errors import StoreError
from inkling.stores import blocks
from inkling.stores.base import Changes, Kind, Version


@dataclass(slots=True)
class _Block:
    kind: Kind
    ts: int
    payload: bytes


class MemoryLog:
    """The change log of ``memory://``. Rows are kept as bytes, so a caller's later edits cannot reach the log."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Start empty; ``clock`` gives seconds since the epoch."""
        self._clock = clock
        self._lock = Lock()
        self._blocks: list[_Block] = []
        self._versions: list[Version] = []
        self._owned: defaultdict[str, set[int]] = defaultdict(set)
        self._event_ids: set[str] = set()
        self._closed = False

    @property
    def version(self) -> Version:
        """Return the position after the last row."""
        with self._lock:
            return self._last()

    def _last(self) -> Version:
        return self._versions[-1] if self._versions else 0

    def append(self, changes: Changes) -> Version:
        """Append one block and return the log's version after it; a block without rows changes nothing."""
        return self.append_many((changes,))

    def append_many(self, blocks_: Sequence[Changes]) -> Version:
        """Append several blocks, all or none, and return the log's version after them."""
        now_ms = int(self._clock() * 1000)
        packed = [blocks.pack(changes, now_ms=now_ms) for changes in blocks_ if changes.rows]
        with self._lock:
            self._check_open()
            for block in packed:
                self._add(block)
            return self._last()

    def _add(self, block: blocks.Packed) -> None:
        for key in block.owners:
            self._owned[key].add(len(self._blocks))
        self._event_ids.update(block.event_ids)
        self._versions.append(self._last() + block.n_rows)
        self._blocks.append(_Block(block.kind, block.ts, block.payload))

    def scan(self, *, since: Version = 0) -> Iterator[Changes]:
        """Yield the blocks that end after ``since``, in order, those appended meanwhile included."""
        position = bisect_right(self._versions, since)
        while True:
            with self._lock:
                self._check_open()
                if position >= len(self._blocks):
                    return
                block, version = self._blocks[position], self._versions[position]
                kind, ts, payload = block.kind, block.ts, block.payload
            yield Changes(kind, blocks.decode(payload), version, ts)
            position += 1

    def duplicates(self, event_ids: Sequence[str]) -> set[str]:
        """Return those of ``event_ids`` that are in the log."""
        with self._lock:
            self._check_open()
            return self._event_ids.intersection(event_ids)

    def erase_user(self, user_id: str) -> int:
        """Remove a person's rows, and those of sessions merged into them; return how many.

        Blocks keep their versions. An ``erase`` block of that person loses its row too: whoever meets it empty learns
        that what was read before is out of date, not who it was.
        """
        with self._lock:
            self._check_open()
            owners = {blocks.PERSON + user_id}
            for index in self._owned.get(blocks.PERSON + user_id, ()):
                if self._blocks[index].kind == "merge":
                    rows = blocks.decode(self._blocks[index].payload)
                    owners |= {blocks.SESSION + key for key in blocks.merged_sessions(rows, user_id)}
            touched = set().union(*(self._owned.pop(key, set()) for key in owners))
            return sum(self._rewrite(self._blocks[index], owners) for index in touched)

    def _rewrite(self, block: _Block, owners: set[str]) -> int:
        kept, removed = blocks.without(blocks.decode(block.payload), owners)
        block.payload = blocks.encode(kept)
        self._event_ids.difference_update(blocks.event_ids_of(removed))
        return len(removed)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The log is closed.", hint="Open it again with open_log.")

    def close(self) -> None:
        """Forget everything; further calls raise StoreError."""
        with self._lock:
            self._closed = True
            self._blocks.clear()
            self._versions.clear()
            self._owned.clear()
            self._event_ids.clear()
