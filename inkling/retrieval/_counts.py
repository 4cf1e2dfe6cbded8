"""Counts of items that fade or fall out of a window, kept right event by event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import F64, I32, I64, Array

# Half-lives between the newest event and the reference time before values are brought down again: exp2 stays finite.
_REBASE = 512.0
_COLUMNS = ("ts", "items", "people", "values")


@dataclass(frozen=True, slots=True)
class Fading:
    """What makes a count smaller with time, in the units of the timestamps."""

    half_life: float  # infinite: none
    window: float  # infinite: none
    once: bool  # each person counts once for an item, with their strongest event


class CountLog:
    """Weighted counts of items as of any moment.

    The log keeps one line for each event (28 bytes), or for each person and item where ``once``; lines older than the
    window are dropped when it is saved. The running sum moves with the window instead of being counted again.
    """

    def __init__(self, fading: Fading) -> None:
        self._fading = fading
        self._origin = 0.0
        self._n = 0
        self._ts = np.empty(0, dtype=np.int64)
        self._items = np.empty(0, dtype=np.int32)
        self._people = np.empty(0, dtype=np.int32)
        self._values = np.empty(0, dtype=np.float64)  # weight * 2 ** ((ts - origin) / half-life)
        self._places: dict[int, int] | None = None  # person and item -> line; built when first needed
        self._sums = np.empty(0, dtype=np.float64)
        self._span = (0, 0)  # lines in the running sum

    def fill(self, ts: I64, items: I32, people: I32, weights: F64) -> None:
        """Start over from events (N,) sorted by time."""
        self._origin = float(ts[-1]) if len(ts) else 0.0
        values = weights * np.exp2((ts - self._origin) / self._fading.half_life)
        keep = _strongest(people, items, values) if self._fading.once else np.arange(len(ts))
        self._set(ts[keep], items[keep], people[keep], values[keep])

    def add(self, ts: int, item: int, person: int, weight: float) -> None:
        """Count one more event."""
        if (ts - self._origin) / self._fading.half_life > _REBASE:
            self._rebase(float(ts))
        value = weight * 2.0 ** ((ts - self._origin) / self._fading.half_life)
        if self._fading.once and person >= 0 and not self._supersede(person, item, value):
            return
        if self._n and ts < self._ts[self._n - 1]:
            self._insert(ts, item, person, value)
            return
        self._reserve()
        self._ts[self._n], self._items[self._n] = ts, item
        self._people[self._n], self._values[self._n] = person, value
        if self._places is not None and person >= 0:
            self._places[_key(person, item)] = self._n
        self._n += 1

    def counts(self, now: int, n_items: int) -> F64:
        """Return the counts (n_items,) of the events up to ``now``, aged as of ``now``.

        At a moment over a thousand half-lives before the newest event they fade to 0: numbers reach no further back.
        """
        self._move(*self._lines(now), n_items)
        aged = self._sums[:n_items] * 2.0 ** min((self._origin - now) / self._fading.half_life, 1000.0)
        return np.asarray(np.maximum(aged, 0.0))

    def to_arrays(self, prefix: str) -> dict[str, Array]:
        """Return the log under names that begin with ``prefix``."""
        first = self._lines(int(self._ts[self._n - 1]))[0] if self._n else 0
        columns = {f"{prefix}{name}": getattr(self, f"_{name}")[first : self._n].copy() for name in _COLUMNS}
        return {**columns, f"{prefix}origin": np.array([self._origin])}

    def load(self, arrays: Mapping[str, Array], prefix: str) -> None:
        """Take over what :meth:`to_arrays` returned."""
        self._origin = float(arrays[f"{prefix}origin"][0])
        self._set(*(np.array(arrays[f"{prefix}{name}"]) for name in _COLUMNS))

    def _set(self, ts: Array, items: Array, people: Array, values: Array) -> None:
        self._ts, self._items, self._people, self._values = ts, items, people, values
        self._n, self._places = len(ts), None
        self._sums, self._span = np.empty(0, dtype=np.float64), (0, 0)

    def _lines(self, now: int) -> tuple[int, int]:
        """Return the first line inside the window that ends now, and the first line after now."""
        ts = self._ts[: self._n]
        last = self._n if not self._n or now >= ts[-1] else int(np.searchsorted(ts, now, side="right"))
        if np.isinf(self._fading.window):
            return 0, last
        # A number of another type would make numpy convert the whole column first.
        return int(np.searchsorted(ts, np.int64(now - self._fading.window), side="right")), last

    def _move(self, first: int, last: int, n_items: int) -> None:
        """Bring the running sum from its lines to ``first:last``."""
        size = max(n_items, len(self._sums))
        if size > len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros(size - len(self._sums))])
        begin, end = self._span
        if first < begin or last < end or first > end or first - begin + last - end > last - first:
            own = slice(first, last)
            known = self._items[own] < size
            self._sums = np.bincount(self._items[own][known], self._values[own][known], size).astype(np.float64)
        else:
            self._shift(begin, first, -1.0)
            self._shift(end, last, 1.0)
        self._span = (first, last)

    def _shift(self, first: int, last: int, sign: float) -> None:
        if last > first:
            highest = int(self._items[first:last].max())
            if highest >= len(self._sums):
                self._sums = np.concatenate([self._sums, np.zeros(highest + 1 - len(self._sums))])
            np.add.at(self._sums, self._items[first:last], sign * self._values[first:last])

    def _supersede(self, person: int, item: int, value: float) -> bool:
        """Take the person's earlier count of the item back; return whether the new one is the stronger."""
        if self._places is None:
            keys = (self._people[: self._n].astype(np.int64) << 32) | self._items[: self._n]
            self._places = dict(zip(keys.tolist(), range(self._n), strict=True))
        place = self._places.get(_key(person, item))
        if place is None:
            return True
        if self._values[place] > value:
            return False
        begin, end = self._span
        if begin <= place < end:
            self._sums[item] -= self._values[place]
        self._values[place] = 0.0
        return True

    def _insert(self, ts: int, item: int, person: int, value: float) -> None:
        """Put a late event where it belongs: only the lines after it move."""
        self._reserve()
        n = self._n
        place = int(np.searchsorted(self._ts[:n], ts, side="right"))
        for name, new in zip(_COLUMNS, (ts, item, person, value), strict=True):
            column = getattr(self, f"_{name}")
            column[place + 1 : n + 1] = column[place:n].copy()
            column[place] = new
        self._n = n + 1
        self._make_way(place)
        if self._places is not None and person >= 0:
            self._places[_key(person, item)] = place
        if place < self._span[1]:
            self._sums, self._span = np.empty(0, dtype=np.float64), (0, 0)

    def _make_way(self, place: int) -> None:
        """Move on what is known of the lines that a new one at ``place`` pushed back, the last first."""
        if self._places is None:
            return
        people, items = self._people[place + 1 : self._n].tolist(), self._items[place + 1 : self._n].tolist()
        for back in range(len(people) - 1, -1, -1):
            key = _key(people[back], items[back])
            if people[back] >= 0 and self._places.get(key) == place + back:
                self._places[key] = place + back + 1

    def _reserve(self) -> None:
        if self._n < len(self._ts):
            return
        room = max(1024, self._n // 2)
        for name in _COLUMNS:
            column = getattr(self, f"_{name}")
            setattr(self, f"_{name}", np.concatenate([column[: self._n], np.zeros(room, dtype=column.dtype)]))

    def _rebase(self, origin: float) -> None:
        scale = 2.0 ** ((self._origin - origin) / self._fading.half_life)
        self._values, self._sums, self._origin = self._values * scale, self._sums * scale, origin


def _key(person: int, item: int) -> int:
    return (person << 32) | item


def _strongest(people: I32, items: I32, values: F64) -> I64:
    """Return, in order, the line of each person's strongest event (the last of equals) with each item."""
    keys = (people.astype(np.int64) << 32) | items
    # Without a person, each event stands for itself.
    keys = np.where(people >= 0, keys, -1 - np.arange(len(keys)))
    order = np.lexsort((values, keys))
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = keys[order][1:] != keys[order][:-1]
    return np.sort(order[last])
