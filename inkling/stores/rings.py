"""The last events of every person, in one arena of columns: memory in proportion to use, a history in microseconds.

Each person owns a segment of the arena that doubles when it is full, up to a bound; beyond it the oldest events fall
out. Everything is copied out under a lock that is held for microseconds, so a reader never sees half an event.
"""

from __future__ import annotations

import math
from collections import defaultdict
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from inkling.core.arrays import I32, I64, Array, Bool
from inkling.core.dataset import Interactions
from inkling.core.errors import StoreError
from inkling.core.query import History

_SMALLEST = 4
_ITEM, _TS, _WEIGHT, _EVENT, _VALUE, _SESSION, _CODE = range(7)
_TYPES = (np.int32, np.int64, np.float32, np.int16, np.float32, np.int32, np.int32)
_START, _LENGTH, _ROOM, _SEEN = range(4)


class LiveEvent(NamedTuple):
    """One event of one person; ``session`` is any code that its session's events share, -1 where it is unknown."""

    item_row: int
    ts: int
    weight: float = 0.0
    event: int = 0
    value: float = float("nan")
    session: int = -1


class EventRings:
    """The last ``capacity`` events of each person, oldest first; people are rows from 0, given by the caller."""

    def __init__(self, *, capacity: int = 500, session_gap_ms: int = 1_800_000) -> None:
        """Start empty.

        Args:
            capacity: How many events a person keeps; the oldest fall out.
            session_gap_ms: A longer pause starts a new session where events carry no session code; 0: each event does.
        """
        self.capacity = max(1, capacity)
        self._gap = session_gap_ms
        self._lock = Lock()
        self._most = self.capacity + max(1, self.capacity // 4)
        self._end = 0
        self._free: defaultdict[int, list[int]] = defaultdict(list)
        self._columns: list[Any] = [np.empty(0, dtype=kind) for kind in _TYPES]
        self._cells = _cells(self._columns)
        self._people: I64 = np.zeros((4, 0), dtype=np.int64)
        self._books = _cells(self._people)
        self._offsets = np.stack([np.zeros(self.capacity + 1, np.int64), np.arange(self.capacity + 1)], axis=1)
        self._offsets.flags.writeable = False

    def __len__(self) -> int:
        return int(self._people.shape[1])

    @property
    def n_bytes(self) -> int:
        """Return the size of all columns in bytes."""
        return sum(int(column.nbytes) for column in (*self._columns, self._people))

    def n_events(self, row: int) -> int:
        """Return how many events a person has had, those that fell out included."""
        return int(self._people[_SEEN, row]) if 0 <= row < len(self) else 0

    def append(self, row: int, event: LiveEvent) -> None:
        """Add one event; one that comes late is put where its time belongs."""
        with self._lock:
            if row >= len(self):
                self._add_people(row + 1)
            starts, lengths, rooms, seen = self._books
            n = lengths[row]
            if n == rooms[row]:
                self._make_room(row)
                n = lengths[row]
            end = starts[row] + n
            items, times, weights, events, values, sessions, codes = self._cells
            at = end
            if n and event[1] < times[end - 1]:
                at = self._shift(starts[row], end, event[1])
            items[at], times[at], weights[at], events[at], values[at], codes[at] = event
            sessions[at] = 0 if n == 0 else sessions[end - 1] + self._is_new(end)
            lengths[row] = n + 1
            seen[row] += 1
            if at != end:
                self._renumber(starts[row], n + 1)

    def _is_new(self, at: int) -> int:
        times, codes = self._cells[_TS], self._cells[_CODE]
        mine, before = codes[at], codes[at - 1]
        if mine == before != -1:
            return 0
        unknown = mine <= -1 and before <= -1 and -1 in (mine, before)
        return 0 if unknown and self._gap > 0 and times[at] - times[at - 1] <= self._gap else 1

    def _shift(self, start: int, end: int, ts: int) -> int:
        at = start + int(np.searchsorted(self._columns[_TS][start:end], ts, side="right"))
        for column in self._columns:
            column[at + 1 : end + 1] = column[at:end].copy()
        return at

    def _renumber(self, start: int, n: int) -> None:
        part = slice(start, start + n)
        new = starts_session(self._columns[_CODE][part], self._columns[_TS][part], self._gap)
        self._columns[_SESSION][part] = np.cumsum(new) - 1

    def _make_room(self, row: int) -> None:
        """Move a full segment to one of twice the size, or drop the oldest events of one that may not grow."""
        starts, lengths, rooms, _ = self._books
        start, n, room = starts[row], lengths[row], rooms[row]
        if room == self._most:
            for column in self._columns:
                column[start : start + self.capacity] = column[start + n - self.capacity : start + n].copy()
            lengths[row] = self.capacity
            return
        bigger = min(max(_SMALLEST, 2 * room), self._most)
        moved = self._allocate(bigger)
        if n:
            for column in self._columns:
                column[moved : moved + n] = column[start : start + n]
            self._release(start, room)
        starts[row], rooms[row] = moved, bigger

    def _allocate(self, room: int) -> int:
        if self._free[room]:
            return self._free[room].pop()
        start, self._end = self._end, self._end + room
        if self._end > len(self._columns[0]):
            size = max(1024, self._end, 2 * len(self._columns[0]))
            self._columns = [np.concatenate([c, np.zeros(size - len(c), dtype=c.dtype)]) for c in self._columns]
            self._cells = _cells(self._columns)
        return start

    def _release(self, start: int, room: int) -> None:
        if room:
            for column in self._columns:
                column[start : start + room] = 0
            self._free[room].append(start)

    def _add_people(self, n: int) -> None:
        size = max(64, n, len(self) + len(self) // 2)
        grown = np.zeros((4, size), dtype=np.int64)
        grown[:, : len(self)] = self._people
        self._people = grown
        self._books = _cells(grown)

    def take_back(self, row: int, event: LiveEvent) -> bool:
        """Take back the latest event with this item and event code up to ``event.ts``; tell whether there was one.

        It goes when the quantity ``abs(event.value)`` reaches its own, or either has none; else its value shrinks: the
        rule of ``inkling.events.cancel``.
        """
        with self._lock:
            if not 0 <= row < len(self):
                return False
            start, n = int(self._people[_START, row]), int(self._people[_LENGTH, row])
            item, times, _, code, *_ = (column[start : start + n] for column in self._columns)
            found = np.flatnonzero((item == event.item_row) & (code == event.event) & (times <= event.ts))
            if not len(found):
                return False
            at = start + int(found[-1])
            had, less = float(self._columns[_VALUE][at]), abs(event.value)
            if less < abs(had):
                self._columns[_VALUE][at] = had - math.copysign(less, had)
            else:
                self._remove(row, at)
            return True

    def _remove(self, row: int, at: int) -> None:
        start, n = int(self._people[_START, row]), int(self._people[_LENGTH, row])
        for column in self._columns:
            column[at : start + n - 1] = column[at + 1 : start + n].copy()
        self._people[_LENGTH, row] = n - 1
        self._people[_SEEN, row] -= 1
        self._renumber(start, n - 1)

    def forget(self, row: int) -> int:
        """Wipe a person's events; return how many there had been."""
        with self._lock:
            if not 0 <= row < len(self):
                return 0
            start, _, room, seen = self._people[:, row].tolist()
            self._release(start, room)
            self._people[:, row] = 0
            return int(seen)

    def merge(self, row: int, other: int) -> None:
        """Give all events of ``other`` to ``row``, in the order of time; ``other`` is empty afterwards."""
        if row == other or not 0 <= other < len(self):
            return
        with self._lock:
            self._add_people(max(row + 1, len(self)))
            parts = [self._all_of(row), self._all_of(other)]
            seen = int(self._people[_SEEN, row] + self._people[_SEEN, other])
        joined = [np.concatenate(pair) for pair in zip(*parts, strict=True)]
        order = np.argsort(joined[_TS], kind="stable")[-self.capacity :]
        self.forget(other)
        self.forget(row)
        with self._lock:
            self._put(row, [column[order] for column in joined], seen)

    def _all_of(self, row: int) -> list[Array]:
        start, n = int(self._people[_START, row]), int(self._people[_LENGTH, row])
        return [column[start : start + n].copy() for column in self._columns]

    def _put(self, row: int, columns: list[Array], seen: int) -> None:
        n = len(columns[0])
        room = int(self._rooms(np.array([n]))[0])
        start = self._allocate(room)
        for column, values in zip(self._columns, columns, strict=True):
            column[start : start + n] = values
        self._people[:, row] = start, n, room, seen
        self._renumber(start, n)

    def _rooms(self, lengths: I64) -> I64:
        """Return the size of segment for each length: a power of two times the smallest, up to the bound."""
        rooms = np.where(lengths > 0, _SMALLEST, 0)
        while (small := (rooms < lengths)).any():
            rooms[small] *= 2
        return np.minimum(rooms, self._most)

    def load(self, events: Interactions) -> None:
        """Take in a whole table of events, sorted by time.

        Raises:
            StoreError: There are events already.
        """
        if self._end:
            raise StoreError("A table of events is loaded first; this one holds events already.")
        order = np.argsort(events.user_rows, kind="stable")
        order = order[events.user_rows[order] >= 0]
        users = events.user_rows[order]
        n_people = int(users[-1]) + 1 if len(users) else 0
        seen = np.bincount(users, minlength=n_people)
        ends = np.cumsum(seen)
        lengths = np.minimum(seen, self.capacity)
        kept = np.arange(len(users)) >= np.repeat(ends - lengths, seen)
        order, users = order[kept], users[kept]
        rooms = self._rooms(lengths)
        starts = np.cumsum(rooms) - rooms
        at = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(users))
        with self._lock:
            self._add_people(n_people)
            self._allocate(int(rooms.sum()))
            self._people[:, :n_people] = starts, lengths, rooms, seen
            self._fill(at, events, order, users)

    def _fill(self, at: I64, events: Interactions, order: I64, users: I32) -> None:
        """Write the events ``order``; codes of sessions go below -1, so that live codes never meet them."""
        codes = events.session_rows[order]
        codes = np.where(codes >= 0, -2 - codes, -1).astype(np.int32)
        ts = events.ts[order]
        new = starts_session(codes, ts, self._gap)
        first = np.ones(len(users), dtype=np.bool_)
        first[1:] = users[1:] != users[:-1]
        running = np.cumsum(new | first)
        sessions: Array = running - np.maximum.accumulate(np.where(first, running, 0))
        given = (events.item_rows[order], ts, events.weights[order], events.events[order], events.values[order])
        for column, values in zip(self._columns, (*given, sessions, codes), strict=True):
            column[at] = values

    def history(self, rows: I32, *, limit: int = 0) -> History:
        """Return the events of the given people, oldest first; the last ``limit`` of each where it is above 0."""
        most = min(limit, self.capacity) if limit > 0 else self.capacity
        if len(rows) == 1:
            return self._history_of(int(rows[0]), most)
        with self._lock:
            known = (rows >= 0) & (rows < len(self))
            safe = np.where(known, rows, 0)
            lengths = np.where(known, self._people[_LENGTH, safe], 0) if len(self) else np.zeros(len(rows), np.int64)
            ends = self._people[_START, safe] + lengths if len(self) else lengths
            lengths = np.minimum(lengths, most)
            offsets = np.zeros(len(rows) + 1, dtype=np.int64)
            np.cumsum(lengths, out=offsets[1:])
            at = np.arange(offsets[-1]) + np.repeat(ends - offsets[1:], lengths)
            columns = [column[at] for column in self._columns[:_CODE]]
        filled = lengths > 0
        columns[_SESSION] -= np.repeat(columns[_SESSION][offsets[:-1][filled]], lengths[filled])
        return History(offsets, *columns)

    def _history_of(self, row: int, most: int) -> History:
        """Return one person's events: the way of a request, without the arithmetic of a batch."""
        with self._lock:
            if not 0 <= row < len(self):
                return History.empty(1)
            starts, lengths, _, _ = self._books
            n = lengths[row]
            end = starts[row] + n
            n = min(n, most)
            begin = end - n
            columns = [column[begin:end].copy() for column in self._columns[:_CODE]]
            first = self._cells[_SESSION][begin] if n else 0
        if first:
            columns[_SESSION] -= first
        return History(self._offsets[n], *columns)


def _cells(columns: Any) -> list[memoryview[Any]]:
    """Return the same memory as Python numbers: one number in or out is several times faster than through numpy."""
    return [memoryview(column) for column in columns]


def starts_session(codes: I32, ts: I64, gap_ms: int) -> Bool:
    """Return (N,) whether each event starts a session: another code or, where one is unknown, a pause before it.

    An unknown code (-1) goes on a sitting of other unknown codes or of loaded ones (below -1), not a session that has a
    name.
    """
    new = np.ones(len(codes), dtype=np.bool_)
    mine, before = codes[1:], codes[:-1]
    near = (np.diff(ts) <= gap_ms) & (gap_ms > 0)
    unknown = (mine <= -1) & (before <= -1) & ((mine == -1) | (before == -1))
    new[1:] = ~(((mine == before) & (mine != -1)) | (unknown & near))
    return new
