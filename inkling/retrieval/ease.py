"""A linear model from all items to all items, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather, retrieve
from inkling.retrieval._matrix import Signal, column_sums, people_by_items, signals
from inkling.retrieval._taste import AtLeastZero, Positive, Taste, TasteConfig, day_length, decay, grounds, tastes
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class EaseConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``ease``."""

    l2: Positive = 300.0
    """Regularisation: the larger, the more the model trusts popular co-occurrences only."""
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    """Items in the model, the most active ones: it holds max_items squared numbers (1.6 GB) and costs their cube."""
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
        self._weights = np.zeros((0, 0), dtype=np.float32)  # (m, m)
        self._items = np.empty(0, dtype=np.int32)  # (m,) item rows in the model
        self._place = np.empty(0, dtype=np.int32)  # (n_items,) their places, -1 outside
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Solve for the item-to-item weights.

        Raises:
            DataError: The data has no positive event.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, self._day)
        matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=self.config.signal)
        self._set_items(_most_active(matrix, self.config.max_items), data.n_items)
        solved = _solve(matrix[:, self._items], self.config.l2)
        # Rounded as it is stored, so that a loaded model answers exactly as this one does.
        self._weights = solved.astype(np.float16).astype(np.float32)
        return self

    def _set_items(self, items: I32, n_items: int) -> None:
        self._items = items
        self._place = np.full(n_items, -1, dtype=np.int32)
        self._place[items] = np.arange(len(items), dtype=np.int32)

    def _inside(self, taste: Taste) -> tuple[Taste, I32]:
        """Return the entries of a taste that the model holds, and their places."""
        places = self._place[taste.rows]
        if len(self._items) == len(self._place):
            return taste, places
        held = places >= 0
        return Taste(taste.rows[held], taste.weights[held]), places[held]

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what each person's history predicts."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        is_whole = len(self._items) == len(self._place)
        for row, taste in zip(out, tastes(query, len(self._place), self.config, self._day), strict=True):
            taste, places = self._inside(taste)
            answer = taste.weights @ self._weights[places]
            row[slice(0, len(self._place)) if is_whole else self._items] = answer
        return out

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that each person's history predicts most."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that each item predicts most."""
        return gather([self._similar(int(row), k) for row in item_rows], source=self.name)

    def _similar(self, row: int, k: int) -> tuple[I32, F32]:
        place = self._place[row] if 0 <= row < len(self._place) else -1
        if place < 0:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        found, best = topk(self._weights[place], k, mask=self._weights[place] > 0)
        return self._items[found], best

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that predict ``item_row``, or speak against it (negative weight)."""
        place = self._place[item_row] if 0 <= item_row < len(self._place) else -1
        taste, places = self._inside(next(tastes(query, len(self._place), self.config, self._day)))
        if place < 0:
            return ()
        return grounds("because_item", taste.rows, self._weights[places, place] * taste.weights)

    def state(self) -> Mapping[str, Array]:
        """Return the weights in half precision, which is what the model answers from."""
        size = np.array([len(self._place)], dtype=np.int64)
        return {
            "weights": self._weights.astype(np.float16),
            "items": self._items,
            "n_items": size,
            "day": np.array([self._day]),
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._weights = state["weights"].astype(np.float32)
        self._set_items(np.asarray(state["items"], dtype=np.int32), int(state["n_items"][0]))
        self._day = float(state["day"][0])
        return self


def _most_active(matrix: csr_array, limit: int) -> I32:
    """Return the rows of the ``limit`` items with the largest sums, ascending."""
    if matrix.shape[1] <= limit:
        return np.arange(matrix.shape[1], dtype=np.int32)
    chosen: I64 = np.argsort(-column_sums(matrix), kind="stable")[:limit]
    return np.sort(chosen).astype(np.int32)


def _solve(matrix: csr_array, l2: float) -> F32:
    """Return B (m, m) with a zero diagonal that minimises |X - XB|^2 + l2 |B|^2."""
    from scipy.linalg import lapack

    gram = np.asarray((matrix.T @ matrix).toarray(), dtype=np.float32, order="F")
    diagonal = np.arange(len(gram))
    gram[diagonal, diagonal] += l2
    factor, failed = lapack.spotrf(gram, lower=0, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed or failed_too:
        raise DataError(
            "'ease' cannot be solved: its matrix is not positive definite in single precision.",
            hint="Raise l2, or use signal = 'binary' or 'log'.",
        )
    # LAPACK leaves the upper triangle of the symmetric inverse; row i of the answer is what item i predicts.
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    weights = np.ascontiguousarray(-inverse / np.diag(inverse)[None, :], dtype=np.float32)
    weights[diagonal, diagonal] = 0.0
    return weights
