"""A new item stands beside its category until its own text is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.tables import TEXT_COLUMNS, item_text

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews
    from inkling.engine.pipeline import Reads

_MOST = 64  # so many items speak for a category


class Shelves:
    """Item rows by category, and the mean of what they say as a stand-in for one that nobody has read yet."""

    def __init__(self, item_of: Callable[[int], Mapping[str, Any] | None], vectors: Callable[[], F32]) -> None:
        """Look items up by ``item_of`` and their vectors (n, dim) in ``vectors()``."""
        self._item_of, self._vectors = item_of, vectors
        self._rows: dict[str, list[int]] | None = None

    def put(self, rows: I32) -> None:
        """Note items that were read."""
        if self._rows is not None:
            for row in rows.tolist():
                self._note(self._rows, row)

    def _note(self, shelves: dict[str, list[int]], row: int) -> None:
        for category in categories_of(self._item_of(row)):
            shelf = shelves.setdefault(category, [])
            if len(shelf) < _MOST and row not in shelf:
                shelf.append(row)

    def _all(self) -> dict[str, list[int]]:
        if self._rows is None:
            self._rows = {}
            for row in np.flatnonzero(self._vectors().any(axis=1)).tolist():
                self._note(self._rows, row)
        return self._rows

    def stand_ins(self, rows: I32) -> tuple[I32, F32]:
        """Return those of ``rows`` that have no vector and whose category is known, with a vector for each."""
        vectors = self._vectors()
        if not vectors.size:
            return np.empty(0, dtype=np.int32), np.empty((0, 0), dtype=np.float32)
        shelves = self._all()
        found: dict[int, F32] = {}
        for row in rows.tolist():
            if row < len(vectors) and vectors[row].any():
                continue
            beside = [other for name in categories_of(self._item_of(row)) for other in shelves.get(name, ())]
            if beside and (mean := vectors[beside].mean(axis=0)).any():
                found[row] = mean
        if not found:
            return np.empty(0, dtype=np.int32), np.empty((0, vectors.shape[1]), dtype=np.float32)
        return np.array(list(found), dtype=np.int32), np.stack(list(found.values())).astype(np.float32)


def categories_of(item: Mapping[str, Any] | None) -> list[str]:
    """Return an item's categories as texts."""
    known = (item or {}).get("categories")
    return [part for part in known if isinstance(part, str)] if isinstance(known, (list, tuple)) else []


class Shelf:
    """Where a pipeline's items stand: what is read of them, and where they stand until then."""

    def __init__(self, views: LiveViews, pipeline: Reads) -> None:
        """Look items up in ``views`` and place their vectors in ``pipeline``."""
        self._views, self._pipeline = views, pipeline
        self._shelves = Shelves(views.catalog.get, lambda: pipeline.vectors)

    def text_of(self, item_row: int) -> str:
        """Return what there is to read of an item now."""
        item: dict[str, Any] = self._views.catalog.get(item_row) or {}
        return item_text([item.get(column) for column in TEXT_COLUMNS])

    def holds(self, item_row: int) -> bool:
        """Tell whether an item has a vector."""
        vectors = self._pipeline.vectors
        return item_row < len(vectors) and bool(vectors[item_row].any())

    def place(self, item_rows: I32, vectors: F32) -> None:
        """Take in what was read."""
        self._pipeline.place_items(item_rows, vectors)
        self._shelves.put(item_rows)

    def welcome(self, item_rows: I32) -> None:
        """Let new items stand beside their category, and make room for all of them at once."""
        found, vectors = self._shelves.stand_ins(item_rows)
        if not vectors.shape[1]:
            return
        last = int(item_rows.max())
        if last >= len(self._pipeline.vectors) and last not in found:
            found = np.append(found, np.int32(last))
            vectors = np.vstack([vectors, np.zeros((1, vectors.shape[1]), dtype=np.float32)])
        if len(found):
            self._pipeline.place_items(found, vectors)
