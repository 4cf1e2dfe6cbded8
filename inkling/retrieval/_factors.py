"""What every factor model answers with: vectors of items, and a person's vector worked out from their history.

No vector of a person is kept: each is folded in when it is asked for, so that what a person just did counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from inkling.core.arrays import F32, F64, I32
from inkling.core.candidates import Candidates
from inkling.core.query import Query
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather
from inkling.retrieval._matrix import Signal
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval._taste import Taste, TasteConfig, grounds, tastes
from inkling.retrieval.base import Because


class Fold(Protocol):
    """How a person's vector follows from what they had."""

    def everyone(self) -> F64:
        """Return the vector (d,) of a person of whom nothing is known; all zeros: no signal."""

    def person(self, items: F64, amounts: F64) -> F64:
        """Return the vector (d,) of a person who had items with the input vectors (n, d) in ``amounts`` (n,)."""

    def shares(self, items: F64, amounts: F64, item: F64) -> F64:
        """Return what each item had (n,) adds to the score of ``item`` (d,)."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Vectors of n items; all zeros stand for an item that the model does not know, whose score is 0: no signal."""

    vectors: F32  # (n, d)

    @classmethod
    def none(cls) -> Factors:
        """Return no items."""
        return cls(np.zeros((0, 1), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.vectors)

    def scores(self, people: F32, n_items: int) -> F32:
        """Return (B, n_items) for the vectors (B, d) of people; items beyond the model's have 0."""
        n = min(n_items, len(self))
        out = np.zeros((len(people), n_items), dtype=np.float32)
        np.matmul(people, self.vectors[:n].T, out=out[:, :n])
        return out

    def similar(self, item_rows: I32, k: int, *, source: str) -> Candidates:
        """Return the k items whose vectors point most alike (cosine), without the item itself."""
        lengths = np.linalg.norm(self.vectors, axis=1)
        scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return gather([self._like(int(row), k, scale) for row in item_rows], source=source)

    def _like(self, row: int, k: int, scale: F32) -> tuple[I32, F32]:
        if not 0 <= row < len(self) or not scale[row]:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        cosines = (self.vectors @ (self.vectors[row] * scale[row])) * scale
        mask = scale > 0
        mask[row] = False
        return topk(cosines, k, mask=mask)


@dataclass(frozen=True, slots=True)
class Served:
    """A fitted factor model as it answers.

    Attributes:
        factors: Of the items, as they are recommended.
        inputs: (n, d) vectors of the items as parts of a history; they may be the same.
        fold: From a history to a person's vector.
        config: How a history is read.
        signal: How several events with one item become one amount.
        day: Length of a day in units of the timestamps.
        index: Of the items' vectors, where they are many.
    """

    factors: Factors
    inputs: F32
    fold: Fold
    config: TasteConfig
    signal: Signal
    day: float
    index: NearestItems = field(default_factory=NearestItems)

    def people(self, query: Query) -> F32:
        """Return the vectors (B, d) of the people asked about."""
        out = np.empty((len(query), self.inputs.shape[1]), dtype=np.float32)
        for row, (rows, amounts) in zip(out, self._amounts(query), strict=True):
            row[:] = self.fold.person(self._inputs(rows), amounts) if len(rows) else self.fold.everyone()
        return out

    def scores(self, query: Query) -> F32:
        """Return (B, query.n_items)."""
        return self.factors.scores(self.people(query), query.n_items)

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return each person's best k by the index; None where all must be scanned."""
        if query.n_items < self.index.index_from or query.candidates is not None:
            return None
        found = self.index.top(self.factors.vectors, self.people(query), query, k)
        return None if found is None else [(rows[scores != 0], scores[scores != 0]) for rows, scores in found]

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return what each item of one person's history adds to the score or takes from it, and what everyone's is."""
        if not 0 <= item_row < len(self.factors):
            return ()
        rows, amounts = next(self._amounts(query))
        target = self.factors.vectors[item_row].astype(np.float64)
        shares = self.fold.shares(self._inputs(rows), amounts, target) if len(rows) else np.zeros(0)
        found = grounds("because_item", rows, shares.astype(np.float32))
        common = float(self.fold.everyone() @ target)
        if common:
            found = tuple(sorted((*found, Because("popular", -1, common)), key=lambda because: -abs(because.weight)))
        return found

    def _inputs(self, rows: I32) -> F64:
        return self.inputs[rows].astype(np.float64)

    def _amounts(self, query: Query) -> Iterator[tuple[I32, F64]]:
        """Yield each person's items that the model knows, and their amounts."""
        for taste in tastes(query, len(self.inputs), self.config, self.day):
            rows, amounts = amounts_of(taste, self.signal)
            known = self.inputs[rows].any(axis=1)
            yield rows[known], amounts[known]


def amounts_of(taste: Taste, signal: Signal) -> tuple[I32, F64]:
    """Return the items of a taste, each once, and how much of each: as ``people_by_items`` counts training events."""
    rows, place = np.unique(taste.rows, return_inverse=True)
    weights = taste.weights.astype(np.float64)
    if signal == "binary":
        amounts = np.zeros(len(rows))
        np.maximum.at(amounts, place, weights)
        return rows, amounts
    sums = np.bincount(place, weights, len(rows)).astype(np.float64)
    return rows, np.log1p(sums) if signal == "log" else sums


def ridge(items: F64, weights: F64, diagonal: F64, right: F64) -> F64:
    """Return x (d, m) that solves (diag + items' weights items) x = right, by whichever side is smaller.

    Args:
        items: (n, d)
        weights: (n,) at least 0.
        diagonal: (d,) above 0.
        right: (d, m)
    """
    n, d = items.shape
    if n >= d:
        system = np.diag(diagonal) + (items.T * weights) @ items
        return np.asarray(np.linalg.solve(system, right))
    # Woodbury: a system of n instead of d unknowns.
    light = right / diagonal[:, None]
    scaled = items / diagonal
    inner = np.eye(n) + weights[:, None] * (scaled @ items.T)
    return np.asarray(light - scaled.T @ np.linalg.solve(inner, weights[:, None] * (items @ light)))
