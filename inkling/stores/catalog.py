"""The live catalogue: what items there are, what is known of them, which of them pass a filter."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F64, I32, Bool
from inkling.core.errors import RequestError, nearest
from inkling.core.vocabulary import Vocabulary
from inkling.stores.base import Changes, Version
from inkling.stores.columns import Column
from inkling.stores.filters import Test, evaluate, parse
from inkling.stores.moments import moment_ms

_LISTED, _SEEN, _DELETED, _HIDDEN = range(4)
_KEPT_MASKS = 64
_encode = msgspec.json.Encoder(order="sorted").encode


class Catalog:
    """A view of the log: items by row of the engine's vocabulary. One thread may write while others read.

    An item exists once it was put or somebody did something with it, until it is deleted; ``hidden`` (true) keeps it
    out of answers, and so does a ``created_at`` in the future until then.
    """

    def __init__(self, item_ids: Vocabulary, *, clock: Callable[[], float] = time.time) -> None:
        """Start empty; the vocabulary is the engine's and grows with what the log brings."""
        self._ids = item_ids
        self._clock = clock
        self._lock = RLock()
        self._attributes: list[dict[str, Any] | None] = []
        self._flags: Bool = np.zeros((4, 0), dtype=np.bool_)
        self._created: F64 = np.empty(0)
        self._fields: set[str] = {"item_id"}
        self._columns: dict[str, Column] = {}
        self._stamp = 0
        self._masks: OrderedDict[bytes, tuple[tuple[int, int], Bool]] = OrderedDict()
        self._available: tuple[tuple[int, int], float, float, Bool] = ((-1, -1), 0.0, 0.0, np.zeros(0, dtype=np.bool_))
        self.version: Version = 0
        """Position in the log that the view reflects."""

    @property
    def fields(self) -> list[str]:
        """Return the names of all attributes that ever occurred."""
        return sorted(self._fields)

    def apply(self, changes: Changes) -> None:
        """Take in a block of the log; one that is already reflected changes nothing."""
        if changes.version <= self.version:
            return
        if changes.kind == "items":
            self.put(changes.rows)
        elif changes.kind == "patch_items":
            self.patch(changes.rows)
        elif changes.kind == "delete_items":
            self.delete([str(row["item_id"]) for row in changes.rows])
        elif changes.kind == "events":
            self.see(self._ids.add_all(str(row["item_id"]) for row in changes.rows if row.get("item_id")))
        self.version = changes.version

    def load(self, rows: Iterable[Mapping[str, Any]], *, known: Bool | None = None) -> None:
        """Put a whole table of items; those with an id alone only where ``known`` (n_items,) says they exist."""
        self.put(row for row in rows if any(value is not None for name, value in row.items() if name != "item_id"))
        if known is not None:
            self.see(np.flatnonzero(known).astype(np.int32))

    def rows(self) -> list[dict[str, Any]]:
        """Return the attributes of all items that were put and not deleted, in the order of their rows."""
        with self._lock:
            return [dict(known) for known in self._attributes if known is not None]

    def put(self, rows: Iterable[Mapping[str, Any]]) -> I32:
        """Put items with all their attributes, replacing what was known; return their rows."""
        with self._lock:
            return np.array([self._write(self._ids.add(str(row["item_id"])), row) for row in rows], dtype=np.int32)

    def patch(self, rows: Iterable[Mapping[str, Any]]) -> I32:
        """Change single attributes of items; null removes one. Return their rows."""
        with self._lock:
            done = []
            for changes in rows:
                row = self._ids.add(str(changes["item_id"]))
                done.append(self._write(row, {**(self.get(row) or {}), **changes}))
            return np.array(done, dtype=np.int32)

    def delete(self, item_ids: Iterable[str]) -> int:
        """Delete items; return how many there were. Events do not bring them back, another put does."""
        with self._lock:
            rows = [row for row in map(self._ids.row_of, item_ids) if row >= 0]
            n_there = 0
            for row in rows:
                n_there += self.exists(row)
                self._write(row, None)
                self._flags[:, row] = False
                self._flags[_DELETED, row] = True
            return n_there

    def see(self, rows: I32) -> None:
        """Note that events named these items: they exist, even if nothing is known of them."""
        with self._lock:
            if len(rows):
                self._grow(int(rows.max()) + 1)
            new = rows[~self._flags[_SEEN, rows] & ~self._flags[_DELETED, rows]]
            if len(new):
                self._flags[_SEEN, new] = True
                self._stamp += 1

    def _write(self, row: int, attributes: Mapping[str, Any] | None) -> int:
        self._grow(row + 1)
        old = self._attributes[row] or {}
        new = {} if attributes is None else {"item_id": self._ids.id_of(row), **_clean(attributes)}
        self._attributes[row] = new or None
        self._fields.update(new)
        for name, column in self._columns.items():
            column.replace(row, old.get(name), new.get(name))
        self._flags[_LISTED, row], self._flags[_DELETED, row] = bool(new), False
        self._flags[_HIDDEN, row] = new.get("hidden") is True
        self._created[row] = _created(new.get("created_at"))
        self._stamp += 1
        return row

    def _grow(self, n: int) -> None:
        if n > self._flags.shape[1]:
            more = max(64, n, 2 * self._flags.shape[1]) - self._flags.shape[1]
            self._flags = np.concatenate([self._flags, np.zeros((4, more), dtype=np.bool_)], axis=1)
            self._created = np.concatenate([self._created, np.full(more, -np.inf)])
            self._attributes.extend([None] * more)

    def get(self, row: int) -> dict[str, Any] | None:
        """Return a copy of an item's attributes; None where nothing is known of it."""
        known = self._attributes[row] if 0 <= row < len(self._attributes) else None
        return None if known is None else dict(known)

    def exists(self, row: int) -> bool:
        """Tell whether an item was put or seen, and not deleted; hidden ones and those still to come exist too."""
        return 0 <= row < self._flags.shape[1] and bool(self._flags[_LISTED, row] or self._flags[_SEEN, row])

    def available(self, n_items: int, *, now_ms: int | None = None) -> Bool:
        """Return (n_items,), read only: items that may be answered at ``now_ms`` (default: now)."""
        moment = int(self._clock() * 1000) if now_ms is None else now_ms
        key, begin, end, mask = self._available
        if key == (self._stamp, n_items) and begin <= moment < end:
            return mask
        with self._lock:
            self._grow(n_items)
            listed, seen, _, hidden = self._flags[:, :n_items]
            created = self._created[:n_items]
            there = (listed | seen) & ~hidden
            mask = np.array(there & (created <= moment), dtype=np.bool_)
            mask.flags.writeable = False
            begin = float(np.max(created, where=mask, initial=-np.inf))
            end = float(np.min(created, where=there & ~mask, initial=np.inf))
            self._available = ((self._stamp, n_items), begin, end, mask)
            return mask

    def created(self, n_items: int) -> F64:
        """Return (n_items,) when items came to be, epoch milliseconds; -inf where that is not known."""
        with self._lock:
            self._grow(n_items)
            return self._created[:n_items].copy()

    def mask(self, filter_: Mapping[str, Any], *, n_items: int | None = None) -> Bool:
        """Return (n_items,), read only: items whose attributes pass a filter, whether they may be answered or not.

        ``n_items`` is the size of the vocabulary unless it is given.

        Raises:
            RequestError: The filter is not of the documented form, or names a field that no item ever had.
        """
        try:
            key = _encode(filter_)
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise RequestError(f"The filter is no plain data: {error}.") from error
        width = len(self._ids) if n_items is None else n_items
        stamp = (self._stamp, width)
        kept = self._masks.get(key)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        node = parse(filter_)
        with self._lock:
            mask = evaluate(node, lambda test: self._column(test).mask(test, width), width)
            mask.flags.writeable = False
            self._masks[key] = ((self._stamp, width), mask)
            self._masks.move_to_end(key)
            if len(self._masks) > _KEPT_MASKS:
                self._masks.popitem(last=False)
        return mask

    def _column(self, test: Test) -> Column:
        if test.field not in self._fields:
            raise RequestError(f"No item has a field '{test.field}'.", hint=nearest(test.field, self._fields))
        column = self._columns.get(test.field)
        if column is None:
            column = Column()
            for row, attributes in enumerate(self._attributes):
                if attributes is not None and (value := attributes.get(test.field)) is not None:
                    column.replace(row, None, value)
            self._columns[test.field] = column
        return column

    def find(self, text: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
        """Return existing items with this id or with this text in the title, titles that start with it first.

        An empty text finds all items, in the order of their rows.
        """
        wanted = text.strip().casefold()
        with self._lock:
            n = min(len(self._ids), len(self._attributes))
            rows = np.flatnonzero(self._flags[_LISTED, :n] | self._flags[_SEEN, :n]).tolist()
            if wanted:
                ranked = [(rank, row) for row in rows if (rank := self._rank(row, wanted)) is not None]
                rows = [row for _, row in sorted(ranked)]
            return [{"item_id": self._ids.id_of(row), **(self.get(row) or {})} for row in rows[: max(limit, 0)]]

    def _rank(self, row: int, wanted: str) -> int | None:
        if self._ids.id_of(row).casefold() == wanted:
            return 0
        title = str((self._attributes[row] or {}).get("title") or "").casefold()
        return None if wanted not in title else 1 + (not title.startswith(wanted))


def _clean(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Leave missing attributes out; read ``a|b`` in categories as a list."""
    clean = {str(name): value for name, value in attributes.items() if value is not None}
    if isinstance(clean.get("categories"), str):
        clean["categories"] = [part.strip() for part in clean["categories"].split("|") if part.strip()]
    return clean


def _created(value: Any) -> float:
    """Return a time that cannot be read as long ago: what is in the log must not stop a view."""
    try:
        return -np.inf if value is None else float(moment_ms(value, field="created_at"))
    except RequestError:
        return -np.inf
