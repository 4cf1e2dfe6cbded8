"""What linear models from items to items are fitted on: who had what, and how often two items were had together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32
from inkling.core.dataset import Dataset, Interactions
from inkling.core.run import Run
from inkling.retrieval._matrix import Signal, Sparse, capped, people_by_items
from inkling.retrieval._taste import AtLeastZero, Count, TasteConfig, decay
from inkling.retrieval._weights import most_active, row_blocks

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class LinearConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings that all linear models have."""

    max_items: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    """Items in the model, the most active: it holds max_items squared numbers, and fitting costs up to their cube."""
    neighbours: Count = 0
    """So many weights of the largest magnitude are kept for each item; 0 keeps all."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""
    max_influence: AtLeastZero = 0.0
    """Against robots and made-up profiles: one person's items together vote for an item like so many at most; 0 is no
    limit. Those with more are scaled down, see ``capped``."""


def votes(events: Interactions, ages: F64, data: Dataset, config: LinearConfig, *, day: float) -> csr_array:
    """Return people x items as a model's settings want it.

    Args:
        events: Positive events.
        ages: (N,) of the events, in timestamp units.
        data: Where the events are from.
        config: Of the model.
        day: Length of a day in timestamp units.
    """
    weights = events.weights * decay(ages, config.fit_half_life_days, day)
    matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=config.signal)
    return capped(matrix, config.max_influence)


def chosen_items(matrix: csr_array, limit: int, run: Run, *, name: str) -> I32:
    """Return the rows of the items that a model holds: all, or the most active; which is then told."""
    items = most_active(matrix, limit)
    if len(items) < matrix.shape[1]:
        said = "'%s' holds the %d most active of %d items (max_items); to the others it says nothing."
        run.log.info(said, name, len(items), matrix.shape[1])
    return items


def products(left: Sparse, right: Sparse, out: F32 | None = None) -> F32:
    """Return the dense product (m, m) of two sparse matrices (N, m), the first transposed, added to ``out``.

    It is made a block of rows at a time: the sparse product of everything would take several times as much memory.
    """
    turned: Any = left.T.tocsr()
    whole = np.zeros((turned.shape[0], right.shape[1]), dtype=np.float32) if out is None else out
    for rows in row_blocks(len(whole)):
        whole[rows] += (turned[rows] @ right).toarray()
    return whole
