"""The items nearest to people in a large catalogue: found through an index, put in order by their true scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock, Thread

import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.query import Query
from inkling.stores.vectors import VectorTable, contains, spare

INDEX_FROM = 50_000
"""Items from which an index answers; below, a scan of all of them costs about as much."""
_SPARE = 16
_MOST = 4096  # longer answers are scanned for


@dataclass(slots=True)
class NearestItems:
    """The index beside a model's own matrix of items: a byte for each number.

    It is made when the model is first asked about a large catalogue, on a thread of its own; until it is ready, and
    where it would not pay, ``top`` says so and the caller scans. Rows of zeros are items that the model does not know.
    """

    index_from: int = INDEX_FROM
    _table: VectorTable | None = None
    _filler: Thread | None = None
    _meanwhile: list[tuple[I32, F32]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def put(self, item_rows: I32, vectors: F32) -> None:
        """Take in the vectors (n, d) of new or changed items; they are found at once."""
        with self._lock:
            if self._table is None:
                if self._filler is not None:  # it may have read them already, or half of them
                    self._meanwhile.append((item_rows, vectors.copy()))
                return
        _put(self._table, item_rows, vectors)

    def wait(self, vectors: F32) -> None:
        """Make the index of items' vectors (n, d) now, and wait until it answers."""
        if self._made(vectors) is None and self._filler is not None:
            self._filler.join()
        if self._table is not None:
            self._table.compact()

    def _made(self, vectors: F32) -> VectorTable | None:
        """Return the table; where there is none yet, let a thread fill one."""
        if self._table is None and len(vectors) >= self.index_from:
            with self._lock:
                if self._table is None and self._filler is None:
                    self._filler = Thread(target=self._fill, args=(vectors,), name="inkling-nearest")
                    self._filler.start()
        return self._table

    def _fill(self, vectors: F32) -> None:
        rows = np.flatnonzero(vectors.any(axis=1)).astype(np.int32)
        table = VectorTable(vectors.shape[1], exact_up_to=self.index_from // 2, keep="elsewhere")
        table.put(rows, vectors[rows])
        with self._lock:
            for item_rows, later in self._meanwhile:
                _put(table, item_rows, later)
            self._meanwhile.clear()
            self._table = table

    def top(self, vectors: F32, people: F32, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return each person's best k allowed item rows and inner products, best first; None where all must be scanned.

        Args:
            vectors: (n, d) of the items: what settles the order.
            people: (B, d) of the people of ``query``.
            query: Its ``allowed`` and ``exclude`` are honoured; where it names ``candidates`` there is nothing to find.
            k: At most so many for each person.
        """
        if query.candidates is not None or query.n_items < self.index_from or k <= 0:
            return None
        table = self._made(vectors)
        longest = 0 if query.exclude is None else int(np.diff(query.exclude.offsets).max(initial=0))
        wanted = k + longest + spare(k)
        if table is None or table.index is None or wanted > _MOST:
            return None
        found, _ = table.top(people, wanted, allowed=query.allowed)
        return [self._ordered(vectors, person, found[at], query, at, k) for at, person in enumerate(people)]

    def _ordered(self, vectors: F32, person: F32, rows: I32, query: Query, at: int, k: int) -> tuple[I32, F32]:
        usable = (rows >= 0) & (rows < min(query.n_items, len(vectors)))
        if query.exclude is not None and len(excluded := query.exclude[at]):
            usable &= ~contains(np.sort(excluded), rows)
        if not usable.all():
            rows = rows[usable]
        scores = vectors.take(rows, axis=0) @ person
        order = (-scores).argsort(kind="stable")[:k]
        return rows[order], scores[order]

    def best(self, vectors: F32, people: F32) -> F32:
        """Return the largest inner product (B,) of each person with any item; after ``top`` has answered."""
        assert self._table is not None
        rows = self._table.top(people, _SPARE)[0]
        scores = np.einsum("bkd,bd->bk", vectors.take(np.maximum(rows, 0), axis=0, mode="clip"), people)
        best: F32 = np.where(rows >= 0, scores, -np.inf).max(axis=1)
        return best


def _put(table: VectorTable, item_rows: I32, vectors: F32) -> None:
    known = vectors.any(axis=1)
    table.delete(item_rows[~known])
    table.put(item_rows[known], vectors[known])
