"""Who had what, as sparse matrices: the raw material of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from inkling.core.arrays import F64, I32, I64
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Signal = Literal["binary", "log", "sum"]
Sparse = Any  # scipy has no types; a csr_array or csc_array


def signals(data: Dataset, *, name: str) -> Interactions:
    """Return the events that say something good, of known items.

    Raises:
        DataError: There is none.
    """
    events = data.interactions
    kept = events.select((events.weights > 0) & (events.item_rows >= 0))
    if not len(kept):
        raise DataError(
            f"'{name}' cannot be fitted: the data has no event with a positive weight.",
            hint="Name the events that count under 'positive' or 'signals' of the scenario.",
        )
    return kept


def people_by_items(events: Interactions, weights: F64, shape: tuple[int, int], *, signal: Signal) -> csr_array:
    """Return people x items (float32): 1 or the latest decayed weight ("binary"), log(1 + sum), or the sum.

    Args:
        events: Positive events; those without a person are left out.
        weights: (N,) the strength of each event, decayed where wanted.
        shape: Number of people and items.
        signal: How several events of one person with one item count.
    """
    from scipy.sparse import csr_array

    known = events.user_rows >= 0
    keys = events.user_rows[known].astype(np.int64) * shape[1] + events.item_rows[known]
    cells, place = np.unique(keys, return_inverse=True)
    if signal == "binary":
        values = np.zeros(len(cells))
        np.maximum.at(values, place, weights[known])
    else:
        sums = np.bincount(place, weights[known], len(cells)).astype(np.float64)
        values = np.log1p(sums) if signal == "log" else sums
    return csr_array((values.astype(np.float32), (cells // shape[1], cells % shape[1])), shape=shape)


def steps_by_items(step_rows: I64, events: Interactions, weights: F64, shape: tuple[int, int]) -> csr_array:
    """Return steps x items (float32): the largest weight of an item within a step."""
    from scipy.sparse import csr_array

    keys = step_rows * shape[1] + events.item_rows
    cells, place = np.unique(keys, return_inverse=True)
    values = np.zeros(len(cells))
    np.maximum.at(values, place, weights)
    return csr_array((values.astype(np.float32), (cells // shape[1], cells % shape[1])), shape=shape)


def column_sums(matrix: Sparse) -> F64:
    """Return the sum (columns,) of each column."""
    return np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()


def scale_rows(matrix: csr_array, factors: F64) -> csr_array:
    """Return the matrix with each row multiplied by its factor."""
    scaled = matrix.copy()
    scaled.data = (scaled.data * np.repeat(factors, np.diff(scaled.indptr))).astype(np.float32)
    return scaled


def capped(matrix: csr_array, limit: float) -> csr_array:
    """Return people x items with the rows of those who say too much scaled down.

    A row of sum s above the limit is multiplied by sqrt(limit / s), so that an item of weight 1 gets at most ``limit``
    of co-occurrence from one person, however many items that person has. 0 is no limit.
    """
    if limit <= 0:
        return matrix
    sums = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    return scale_rows(matrix, np.sqrt(np.minimum(1.0, limit / np.maximum(sums, 1e-12))))


def first_of_runs(labels: I32 | I64) -> I64:
    """Return 1 (N,) where a label differs from the one before, and at the first, else 0."""
    new = np.ones(len(labels), dtype=np.int64)
    new[1:] = labels[1:] != labels[:-1]
    return new
