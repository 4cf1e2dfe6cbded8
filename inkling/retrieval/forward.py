"""What people who had this take next: a linear model from the past to the following weeks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Signal, Sparse, people_by_items, signals
from inkling.retrieval._taste import (
    AtLeastZero,
    Count,
    Positive,
    Taste,
    TasteConfig,
    day_length,
    decay,
    grounds,
    taste_key,
    taste_of,
    tastes,
)
from inkling.retrieval._weights import ItemWeights, most_active
from inkling.retrieval.base import Because


class ForwardConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``forward``."""

    l2: Positive = 300.0
    """Regularisation: the larger, the more the model trusts frequent sequences only."""
    horizon_days: AtLeastZero = 0.0
    """Length of the window that is predicted; 0 takes the span of the newest tenth of the events."""
    windows: Annotated[int, msgspec.Meta(ge=1)] = 1
    """So many windows, one before the other, are learned from together."""
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 12_000
    """Items in the model, the most active: it holds max_items squared numbers, and fitting costs their cube."""
    neighbours: Count = 0
    """So many weights of the largest magnitude are kept for each item; 0 keeps the dense matrix."""
    signal: Signal = "binary"
    """Several events of a person with an item in the past: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age, before a window, at which an event of the past counts half; 0 is no decay."""
    new_only: bool = False
    """Learn only what a person takes for the first time; else buying again counts as well."""


class Forward:
    """Ridge regression of what people take in a window on all that they had before it.

    As EASE (Steck 2019) with the target moved ahead in time: an item may predict itself, and order matters.
    """

    name = "forward"
    Config = ForwardConfig

    def __init__(self, config: ForwardConfig | None = None) -> None:
        self.config = config or ForwardConfig()
        self._weights = ItemWeights.none()
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn from the newest windows of the data.

        Raises:
            DataError: The data has no positive event, or no time.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        if not np.isfinite(self._day):
            raise DataError("'forward' cannot be fitted: the data has no time.", hint="Leave it out, or use 'ease'.")
        everything = people_by_items(
            events, events.weights.astype(np.float64), (data.n_users, data.n_items), signal="binary"
        )
        items = most_active(everything, self.config.max_items)
        gram, cross = self._moments(events, items, data)
        solved = _solve(gram, cross, self.config.l2)
        self._weights = ItemWeights.of(solved, items, data.n_items, neighbours=self.config.neighbours)
        return self

    def _horizon(self, events: Interactions) -> float:
        """Return the length of a window in timestamp units."""
        if self.config.horizon_days > 0:
            return self.config.horizon_days * self._day
        return max(float(events.ts[-1] - events.ts[int(0.9 * (len(events) - 1))]), 1.0)

    def _moments(self, events: Interactions, items: I32, data: Dataset) -> tuple[F32, F32]:
        """Return past x past and past x window (m, m), added up over the windows and people with both."""
        gram = np.zeros((len(items), len(items)), dtype=np.float32)
        cross = np.zeros_like(gram)
        horizon = self._horizon(events)
        for window in range(self.config.windows):
            end = float(data.until) - window * horizon
            first, last = np.searchsorted(events.ts, [end - horizon, end], side="right")
            past, ahead = events.select(np.arange(first)), events.select(np.arange(first, last))
            if not len(past) or not len(ahead):
                break
            ages = (end - horizon - past.ts).astype(np.float64)
            had, took = self._pair(past, ahead, ages, (data.n_users, data.n_items))
            had, took = had[:, items], took[:, items]
            gram += (had.T @ had).toarray()
            cross += (had.T @ took).toarray()
        return gram, cross

    def _pair(
        self, past: Interactions, ahead: Interactions, ages: F64, shape: tuple[int, int]
    ) -> tuple[Sparse, Sparse]:
        """Return what people had and what they then took, sparse, for people with both."""
        weights = past.weights * decay(ages, self.config.fit_half_life_days, self._day)
        had = people_by_items(past, weights, shape, signal=self.config.signal)
        took = people_by_items(ahead, np.ones(len(ahead)), shape, signal="binary")
        both: I64 = np.flatnonzero((np.diff(had.indptr) > 0) & (np.diff(took.indptr) > 0))
        had, took = had[both], took[both]
        if self.config.new_only:
            took = took - took.multiply(had > 0)
        return had, took

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what each person's history says of the next window."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for row, taste in zip(out, tastes(query, len(self._weights), self.config, self._day), strict=True):
            row[:] = self._weights.score(taste, query.n_items)
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n_items, K), or None where all weights are kept."""
        return self._weights.lists()

    def taste(self, query: Query, person: int) -> Taste:
        """Return what the lists are looked up with."""
        return taste_of(query, person, len(self._weights), self.config, self._day)

    def taste_key(self) -> object:
        """Return what tastes depend on."""
        return taste_key(self.config, len(self._weights), self._day)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that each person is most likely to take next."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that each item most announces."""
        return self._weights.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that announce ``item_row``, or speak against it (negative weight)."""
        taste = next(tastes(query, len(self._weights), self.config, self._day))
        return grounds("follows", *self._weights.contributions(taste, item_row))

    def state(self) -> Mapping[str, Array]:
        """Return the weights in half precision, which is what the model answers from."""
        return {**self._weights.to_arrays(), "day": np.array([self._day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._weights, self._day = ItemWeights.from_arrays(state), float(state["day"][0])
        return self


def _solve(gram: F32, cross: F32, l2: float) -> F32:
    """Return W (m, m) that minimises |Y - XW|^2 + l2 |W|^2 from X'X and X'Y."""
    from scipy.linalg import cho_factor, cho_solve

    gram[np.arange(len(gram)), np.arange(len(gram))] += l2
    factor = cho_factor(gram, overwrite_a=True, check_finite=False)
    return np.ascontiguousarray(cho_solve(factor, cross, overwrite_b=True, check_finite=False), dtype=np.float32)
