"""A linear model from all items to all items, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Signal, people_by_items, signals
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

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class EaseConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``ease``."""

    l2: Positive = 300.0
    """Regularisation: the larger, the more the model trusts popular co-occurrences only."""
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 12_000
    """Items in the model, the most active: it holds max_items squared numbers, and fitting costs their cube."""
    neighbours: Count = 0
    """So many weights of the largest magnitude are kept for each item; 0 keeps the dense matrix."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""


class Ease:
    """Embarrassingly shallow autoencoder: ridge regression of each item on all others (Steck 2019)."""

    name = "ease"
    Config = EaseConfig

    def __init__(self, config: EaseConfig | None = None) -> None:
        self.config = config or EaseConfig()
        self._weights = ItemWeights.none()
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Solve for the item-to-item weights.

        Raises:
            DataError: The data has no positive event, or the system cannot be solved.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, self._day)
        matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=self.config.signal)
        items = most_active(matrix, self.config.max_items)
        solved = _solve(matrix[:, items], self.config.l2)
        self._weights = ItemWeights.of(solved, items, data.n_items, neighbours=self.config.neighbours)
        return self

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what each person's history predicts."""
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
        """Return the k items that each person's history predicts most."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that each item predicts most."""
        return self._weights.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that predict ``item_row``, or speak against it (negative weight)."""
        taste = next(tastes(query, len(self._weights), self.config, self._day))
        return grounds("because_item", *self._weights.contributions(taste, item_row))

    def state(self) -> Mapping[str, Array]:
        """Return the weights in half precision, which is what the model answers from."""
        return {**self._weights.to_arrays(), "day": np.array([self._day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._weights, self._day = ItemWeights.from_arrays(state), float(state["day"][0])
        return self


def _solve(matrix: csr_array, l2: float) -> F32:
    """Return B (m, m) with a zero diagonal that minimises |X - XB|^2 + l2 |B|^2."""
    from scipy.linalg import lapack

    # Symmetric, so the transposed view has the order that LAPACK works in, without a copy.
    gram = (matrix.T @ matrix).toarray().T
    diagonal = np.arange(len(gram))
    gram[diagonal, diagonal] += l2
    factor, failed = lapack.spotrf(gram, lower=0, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=0, overwrite_c=1)
    diagonal_of_inverse = np.diag(inverse)
    if failed or failed_too or not (np.isfinite(diagonal_of_inverse) & (diagonal_of_inverse > 0)).all():
        raise DataError(
            "'ease' cannot be solved: its matrix is not positive definite in single precision.",
            hint="Raise l2, or use signal = 'binary' or 'log'.",
        )
    scale = -1.0 / diagonal_of_inverse
    # LAPACK leaves the upper triangle of the symmetric inverse; it is mirrored and scaled in place.
    for row in range(len(inverse)):
        inverse[row + 1 :, row] = inverse[row, row + 1 :]
    weights: F32 = inverse.T
    weights *= scale[None, :]
    weights[diagonal, diagonal] = 0.0
    return weights
