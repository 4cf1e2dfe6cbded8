"""A linear model from all items to all items, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from inkling.core.arrays import F32
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._linear import LinearConfig, chosen_items, products, votes
from inkling.retrieval._matrix import signals
from inkling.retrieval._taste import AtLeastZero, Positive, day_length
from inkling.retrieval._weights import ItemWeights, row_blocks


class EaseConfig(LinearConfig, frozen=True, kw_only=True):
    """Settings of ``ease``."""

    l2: Positive = 300.0
    """Regularisation: the larger, the more the model trusts popular co-occurrences only."""
    own: AtLeastZero = 0.0
    """What an item says for itself, where people buy again: the model alone cannot learn it, its diagonal is 0."""


class Ease(ItemToItem):
    """Embarrassingly shallow autoencoder: ridge regression of each item on all others (Steck 2019).

    Twenty thousand items take 1.6 GB and some 8e12 multiplications: one to two minutes on two cores.
    """

    name = "ease"
    Config = EaseConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"l2": 300.0},
        {"l2": 30.0},
        {"l2": 1000.0},
        {"l2": 100.0, "half_life_days": 60.0},
        {"l2": 1000.0, "signal": "log", "own": 0.3, "repeats": "session", "half_life_days": 180.0},
        {"l2": 300.0, "signal": "log", "own": 0.3, "repeats": "session", "fit_half_life_days": 60.0},
    )
    space: ClassVar[Space] = {
        "l2": Real(10.0, 5000.0, log=True),
        "own": Choice((0.0, 0.1, 0.3, 1.0)),
        "signal": Choice(("binary", "log")),
        "repeats": Choice(("once", "session")),
        "half_life_days": Choice((0.0, 30.0, 60.0, 120.0)),
        "fit_half_life_days": Choice((0.0, 60.0, 180.0)),
    }

    def __init__(self, config: EaseConfig | None = None) -> None:
        self.config = config or EaseConfig()
        self._said = ItemWeights.none()

    def fit(self, data: Dataset, run: Run) -> Self:
        """Solve for the item-to-item weights.

        Raises:
            DataError: The data has no positive event, or the system cannot be solved.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        matrix = votes(events, (data.until - events.ts).astype(np.float64), data, self.config, day=self._day)
        items = chosen_items(matrix, self.config.max_items, run, name=self.name)
        chosen = matrix[:, items]
        solved = solve(products(chosen, chosen), self.config.l2)
        np.fill_diagonal(solved, self.config.own)
        self._said = ItemWeights.of(solved, items, data.n_items, neighbours=self.config.neighbours)
        return self


def solve(gram: F32, l2: float) -> F32:
    """Return B (m, m) with a zero diagonal that minimises |X - XB|^2 + l2 |B|^2, in the memory of X'X (m, m).

    Raises:
        DataError: The system is not positive definite in single precision.
    """
    from scipy.linalg import lapack

    np.fill_diagonal(gram, gram.diagonal() + l2)
    # Symmetric, so the transposed view has the order that LAPACK works in, without a copy.
    factor, failed = lapack.spotrf(gram.T, lower=0, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=0, overwrite_c=1)
    weights: F32 = inverse.T
    diagonal = weights.diagonal().copy()
    if failed or failed_too or not (np.isfinite(diagonal) & (diagonal > 0)).all():
        raise DataError(
            "'ease' cannot be solved: its matrix is not positive definite in single precision.",
            hint="Raise l2, or use signal = 'binary' or 'log'.",
        )
    _mirror(weights)
    weights *= -1.0 / diagonal
    np.fill_diagonal(weights, 0.0)
    return weights


def _mirror(lower: F32) -> None:
    """Copy the lower triangle (m, m), which is all that LAPACK leaves, to the upper one, block by block."""
    blocks = row_blocks(len(lower))
    for rows in blocks:
        own = np.tril(lower[rows, rows])
        lower[rows, rows] = own + np.tril(own, -1).T
        for others in blocks:
            if others.start > rows.start:
                lower[rows, others] = lower[others, rows].T
