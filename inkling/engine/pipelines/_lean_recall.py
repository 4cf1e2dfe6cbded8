"""What ``lean`` ranks: the nearest by an index, what the person had; popular things where nothing is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from inkling.core.arrays import F32, I8, I32, Bool
from inkling.core.candidates import Candidates
from inkling.core.query import Query
from inkling.engine.pipelines._lean_columns import NEAR, Past, Popularity, again, columns, recent_of, stacked
from inkling.kernels.topk import topk
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval.base import Placed
from inkling.stores.vectors import contains

SOURCES = ("near", "repeat", "popular")
_OWN = 50  # of a person's last items, where things are shown again
_EXTRA = 100

Part = tuple[I32, I8, dict[str, F32]]


@dataclass(slots=True)
class LeanRecall:
    """A model that places people and items, an index of its items, and what is popular."""

    model: Placed
    popular: Popularity
    again: bool
    """Whether things are shown again."""
    index: NearestItems = field(default_factory=NearestItems)

    def candidates(self, query: Query, limit: int) -> Candidates:
        """Return each person's nearest items with their columns, the nearest first; popular ones for the unknown."""
        people = self.model.place(query)
        near = self.index.top(self.model.vectors, people, query, limit)
        return _gathered(
            [
                self._found(query, at, person, None if near is None else near[at][0], limit)
                for at, person in enumerate(people)
            ]
        )

    def asked(self, query: Query, shown: Query, limit: int) -> Candidates:
        """Return the candidates of ``query`` with the columns that each has beside what would be ``shown``."""
        people = self.model.place(query)
        beside = self.candidates(shown, limit)
        assert query.candidates is not None
        parts = []
        for at, person in enumerate(people):
            rows = np.unique(query.candidates[at]).astype(np.int32)
            parts.append(self._described(query, at, person, rows, np.zeros(len(rows), dtype=np.int8), beside))
        return _gathered(parts)

    def _found(self, query: Query, at: int, person: F32, near: I32 | None, limit: int) -> Part:
        past = Past.of(query.history, at, len(self.model.vectors))
        if query.candidates is not None:
            rows = open_to(np.unique(query.candidates[at]).astype(np.int32), query, at)
            sources = np.zeros(len(rows), dtype=np.int8)
        elif person.any():
            rows = _scanned(self.model.vectors, person, query, at, limit) if near is None else near
            own = past.last_distinct(_OWN) if self.again else rows[:0]
            own = open_to(own[~contains(np.sort(rows), own)], query, at) if len(own) else own
            sources = np.zeros(len(rows) + len(own), dtype=np.int8)
            sources[len(rows) :] = 1
            rows = np.concatenate([rows, own]) if len(own) else rows
        else:
            rows = open_to(self.popular.best(limit + _EXTRA + 2 * len(past.rows)), query, at)[:limit]
            sources = np.full(len(rows), 2, dtype=np.int8)
        return self._described(query, at, person, rows, sources, None, past)

    def _described(
        self,
        query: Query,
        at: int,
        person: F32,
        rows: I32,
        sources: I8,
        beside: Candidates | None,
        past: Past | None = None,
    ) -> Part:
        """Return rows, sources and columns, by descending product; without a place for the person, by popularity."""
        vectors, now = self.model.vectors, int(query.now[at])
        past = past or Past.of(query.history, at, len(vectors))
        theirs, popularity = _looked_up(vectors, rows), self.popular.of_rows(rows, now)
        products = theirs @ person if person.any() else popularity
        order = (-products).argsort(kind="stable")
        rows, products, theirs, popularity = rows[order], products[order], theirs[order], popularity[order]
        if beside is None:
            standing = float(products[0]) if len(products) else 0.0, np.arange(len(products))
        else:
            span = slice(int(beside.offsets[at]), int(beside.offsets[at + 1]))
            those = _looked_up(vectors, beside.item_rows[span])
            own = those @ person if person.any() else self.popular.of_rows(beside.item_rows[span], now)
            standing = float(own.max(initial=-np.inf)) if len(own) else 0.0, np.searchsorted(-own, -products)
        found = columns(products, standing, theirs, recent_of(vectors, past), popularity)
        if self.again:
            found |= again(rows, past, now)
        return rows, sources[order], found


def open_to(rows: I32, query: Query, at: int) -> I32:
    """Return the rows that may be answered to a person."""
    rows = rows[(rows >= 0) & (rows < query.n_items)]
    if query.allowed is not None:
        rows = rows[query.allowed[rows]]
    if query.exclude is not None:
        rows = rows[~contains(np.sort(query.exclude[at]), rows)]
    return rows


def _scanned(vectors: F32, person: F32, query: Query, at: int, limit: int) -> I32:
    """Return the rows of the largest products, by looking at all of them."""
    n = min(len(vectors), query.n_items)
    mask: Bool = np.asarray(vectors[:n].any(axis=1))
    if query.allowed is not None:
        mask &= query.allowed[:n]
    if query.exclude is not None:
        rows = query.exclude[at]
        mask[rows[(rows >= 0) & (rows < n)]] = False
    return topk(vectors[:n] @ person, limit, mask=mask)[0]


def _looked_up(vectors: F32, rows: I32) -> F32:
    """Return the vectors (N, d) of rows, zeros where an item has none."""
    if not len(vectors):
        return np.zeros((len(rows), vectors.shape[1]), dtype=np.float32)
    found: F32 = vectors.take(rows, axis=0, mode="clip")
    beyond = rows >= len(vectors)
    if beyond.any():
        found[beyond] = 0
    return found


def _gathered(parts: list[Part]) -> Candidates:
    if len(parts) == 1:
        rows, sources, fields = parts[0]
        return Candidates(np.array([0, len(rows)], dtype=np.int64), rows, fields[NEAR], sources, SOURCES, fields)
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(rows) for rows, _, _ in parts], out=offsets[1:])
    rows = np.concatenate([part[0] for part in parts])
    sources = np.concatenate([part[1] for part in parts])
    fields = stacked([part[2] for part in parts])
    return Candidates(offsets, rows, fields[NEAR], sources, SOURCES, fields)
