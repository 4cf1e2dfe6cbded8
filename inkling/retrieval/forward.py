"""What people who had this take next: a linear model from the past to the following weeks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._linear import LinearConfig, chosen_items, products, votes
from inkling.retrieval._matrix import Sparse, people_by_items, signals
from inkling.retrieval._taste import AtLeastZero, Positive, day_length
from inkling.retrieval._weights import ItemWeights


class ForwardConfig(LinearConfig, frozen=True, kw_only=True):
    """Settings of ``forward``."""

    l2: Positive = 300.0
    """Regularisation: the larger, the more the model trusts frequent sequences only."""
    horizon_days: AtLeastZero = 0.0
    """Length of the window that is predicted; 0 takes the span of the newest tenth of the events."""
    windows: Annotated[int, msgspec.Meta(ge=1)] = 1
    """So many windows, one before the other, are learned from together."""
    new_only: bool = False
    """Learn only what a person takes for the first time; else buying again counts as well."""


class Forward(ItemToItem):
    """Ridge regression of what people take in a window on all that they had before it.

    As EASE (Steck 2019) with the target moved ahead in time: an item may predict itself, and order matters.
    """

    name = "forward"
    Config = ForwardConfig
    ground = "follows"
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"l2": 300.0},
        {"l2": 300.0, "windows": 3},
        {"l2": 1000.0, "windows": 3},
        {"l2": 300.0, "windows": 3, "half_life_days": 60.0},
        {"l2": 300.0, "windows": 3, "fit_half_life_days": 60.0},
    )
    space: ClassVar[Space] = {
        "l2": Real(10.0, 5000.0, log=True),
        "windows": Whole(1, 6),
        "signal": Choice(("binary", "log")),
        "half_life_days": Choice((0.0, 30.0, 60.0, 120.0)),
        "fit_half_life_days": Choice((0.0, 60.0, 180.0)),
        "new_only": Choice((False, True)),
    }

    def __init__(self, config: ForwardConfig | None = None) -> None:
        self.config = config or ForwardConfig()
        self._said = ItemWeights.none()

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
        items = chosen_items(everything, self.config.max_items, run, name=self.name)
        gram, cross = self._moments(events, items, data)
        solved = _solve(gram, cross, self.config.l2)
        self._said = ItemWeights.of(solved, items, data.n_items, neighbours=self.config.neighbours)
        return self

    def _horizon(self, events: Interactions) -> float:
        """Return the length of a window in timestamp units."""
        if self.config.horizon_days > 0:
            return float(self.config.horizon_days * self._day)
        return max(float(events.ts[-1] - events.ts[int(0.9 * (len(events) - 1))]), 1.0)

    def _moments(self, events: Interactions, items: I32, data: Dataset) -> tuple[F32, F32]:
        """Return past x past and window x past (m, m), added up over the windows and people with both."""
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
            had, took = self._pair(past, ahead, ages, data)
            had, took = had[:, items], took[:, items]
            products(had, had, gram)
            products(took, had, cross)
        return gram, cross

    def _pair(self, past: Interactions, ahead: Interactions, ages: F64, data: Dataset) -> tuple[Sparse, Sparse]:
        """Return what people had and what they then took, sparse, for people with both."""
        had = votes(past, ages, data, self.config, day=self._day)
        took = people_by_items(ahead, np.ones(len(ahead)), had.shape, signal="binary")
        both: I64 = np.flatnonzero((np.diff(had.indptr) > 0) & (np.diff(took.indptr) > 0))
        had, took = had[both], took[both]
        if self.config.new_only:
            took = took - took.multiply(had > 0)
        return had, took


def _solve(gram: F32, cross: F32, l2: float) -> F32:
    """Return W (m, m) that minimises |Y - XW|^2 + l2 |W|^2 from X'X and Y'X, both of which are overwritten."""
    from scipy.linalg import cho_factor, cho_solve

    np.fill_diagonal(gram, gram.diagonal() + l2)
    # The transposed views have the order that LAPACK works in, without a copy.
    factor = cho_factor(gram.T, overwrite_a=True, check_finite=False)
    return np.ascontiguousarray(cho_solve(factor, cross.T, overwrite_b=True, check_finite=False), dtype=np.float32)
