"""The contract of a ranker: some hundreds to an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, runtime_checkable

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run


@dataclass(frozen=True, slots=True)
class RankingSet:
    """Labelled candidates: what a ranker learns from. ``labels`` is 1 where the person took the item, else 0.

    ``further`` holds other labels by name, such as "conversion" (0 or 1) or "rating" (a value, NaN where unknown).
    """

    query: Query
    candidates: Candidates  # with the features in ``fields``
    labels: F32  # (N,)
    weights: F32 | None = None  # (N,)
    further: Mapping[str, F32] = field(default_factory=dict)  # name -> (N,)
    positions: I32 | None = None  # (N,) the place where each was shown, from 0; -1 where that is not known

    def select(self, flat: I64, offsets: I64) -> RankingSet:
        """Return the candidates at flat positions under new ``offsets``, of the same people."""
        return RankingSet(
            self.query,
            self.candidates.select(flat, offsets),
            self.labels[flat],
            None if self.weights is None else self.weights[flat],
            {name: column[flat] for name, column in self.further.items()},
            None if self.positions is None else self.positions[flat],
        )

    def keep(self, mask: Array) -> RankingSet:
        """Return the candidates where ``mask`` (N,) is true, of the same people."""
        offsets = np.concatenate([[0], np.cumsum(mask)])[self.candidates.offsets]
        return self.select(np.flatnonzero(mask), offsets.astype(np.int64))

    def take(self, people: I64) -> RankingSet:
        """Return the people at the given positions, in that order."""
        starts, lengths = self.candidates.offsets[people], np.diff(self.candidates.offsets)[people]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        found = self.select(flat, offsets)
        further, query = found.further, self.query.take(people)
        return RankingSet(query, found.candidates, found.labels, found.weights, further, found.positions)

    @classmethod
    def join(cls, sets: Sequence[RankingSet]) -> RankingSet:
        """Return the people of several sets as one, each with their own question; columns that all have stay."""
        from inkling.ranking._join import joined

        return joined(sets)


@runtime_checkable
class Ranker(Protocol):
    """Orders candidates by the feature columns in their ``fields``; knows the names of those that it was fitted on."""

    name: str

    @property
    def config(self) -> Config: ...
    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self: ...
    def score(self, query: Query, items: Candidates) -> Candidates: ...
    def state(self) -> Mapping[str, Array]: ...
    def load_state(self, state: Mapping[str, Array]) -> Self: ...


@runtime_checkable
class Flat(Protocol):
    """A ranker that scores candidates (N,) where they stand, without sorting them."""

    def scores(self, query: Query, items: Candidates) -> F32: ...
    def asks(self) -> frozenset[str]: ...


@runtime_checkable
class Attributable(Protocol):
    """A ranker that can split a score into signed contributions by feature: name -> (N,)."""

    def contributions(self, items: Candidates) -> Mapping[str, F32]: ...


@runtime_checkable
class Reading(Protocol):
    """A ranker that reads items' texts, which no ranking set carries: it is given them before ``fit``, and new ones."""

    def read(self, item_rows: I32, titles: Sequence[str], texts: Sequence[str]) -> None: ...
