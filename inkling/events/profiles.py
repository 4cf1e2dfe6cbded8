"""Profiles that look made up to push an item: found without labels, left out before a fit where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from inkling.core.arrays import F64, I32, I64, Bool
from inkling.core.dataset import Dataset
from inkling.core.scenario import Scenario
from inkling.events.build import positive_mask
from inkling.events.codes import codes

if TYPE_CHECKING:
    import polars as pl

_LEAST, _MOST = 3, 500  # people with fewer items cannot be told from anybody; more are no made-up person's


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How alike profiles are to what people really do.

    Attributes:
        user_rows: (P,) people with enough items to be judged.
        coherence: (P,) mean lift, in logarithms, of the pairs of items in a profile, counted by everybody else.
        pushed: Item rows whose audience is made of strange profiles, beyond what chance would put together.
        made_up: (P,) strange profiles that hold a pushed item.
    """

    user_rows: I32
    coherence: F64
    pushed: I64
    made_up: Bool


def suspicion(
    user_rows: I32, item_rows: I32, *, strange: float = 0.2, sure: float = 4.0, at_least: int = 3
) -> Suspicion:
    """Judge profiles, as N positive events in rows: strange by themselves, and gathered around an item.

    Made-up people must take the item that they push, and fill the rest of their profile with what they do not know to
    belong together. So (1) a profile is strange where its items hardly ever come together in others' profiles; (2) an
    item is pushed where its takers are strange far more often than everybody (target item analysis, as in RD-TIA, Zhou
    et al. 2014; PCA over people, Mehta and Nejdl 2009, needs the number of attackers, this does not). Only a profile
    that is both counts as made up: one that is merely unusual stays.

    Args:
        user_rows: (N,) who took something.
        item_rows: (N,) what they took.
        strange: Share of people with the least coherent profiles who may be suspects.
        sure: Standard deviations by which an item's strange takers must exceed what chance brings.
        at_least: Strange takers that an item must have to be looked at.
    """
    matrix, people = _matrix(user_rows, item_rows)
    if not len(people):
        return Suspicion(people, np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
    coherence = _coherence(matrix)
    odd = coherence <= np.quantile(coherence, strange)
    takers, odd_takers = _sums(matrix), _sums(matrix[odd])
    expected = takers * odd.mean()
    spread = np.sqrt(np.maximum(expected * (1 - odd.mean()), 1e-12))
    pushed = np.flatnonzero((odd_takers >= at_least) & (odd_takers - expected > sure * spread))
    holds = np.asarray(matrix[:, pushed].sum(axis=1)).ravel() > 0
    return Suspicion(people, coherence, pushed, odd & holds)


def without_made_up(data: Dataset, **how: Any) -> Dataset:
    """Return the data without the events of profiles that look made up; ``how`` goes to :func:`suspicion`."""
    events = data.interactions
    found = suspicion(events.user_rows[events.positive], events.item_rows[events.positive], **how)
    gone = found.user_rows[found.made_up]
    return replace(data, interactions=events.select(~np.isin(events.user_rows, gone))) if len(gone) else data


def drop_made_up(frame: pl.DataFrame, scenario: Scenario) -> tuple[pl.DataFrame, int]:
    """Leave out the events of profiles that look made up: the rule ``made_up_profiles`` of cleaning."""
    known = frame["user_id"].is_not_null() & frame["item_id"].is_not_null()
    mask = positive_mask(frame, scenario) & known.to_numpy()
    (users, _), (items, _) = codes(frame["user_id"]), codes(frame["item_id"])
    found = suspicion(users[mask], items[mask])
    return frame.filter(~np.isin(users, found.user_rows[found.made_up])), 0


def _matrix(user_rows: I32, item_rows: I32) -> tuple[sparse.csr_array, I32]:
    """Return (P, n_items) what people with enough distinct items took, each once, and who they are."""
    n_items = int(item_rows.max(initial=-1)) + 1
    keys = np.unique(user_rows.astype(np.int64) * max(n_items, 1) + item_rows)
    rows, items = keys // max(n_items, 1), keys % max(n_items, 1)
    sizes = np.bincount(rows, minlength=1)[rows]
    judged = (sizes >= _LEAST) & (sizes <= _MOST)
    people, at = np.unique(rows[judged], return_inverse=True)
    cells = np.ones(int(judged.sum()))
    return sparse.csr_array((cells, (at, items[judged])), shape=(len(people), n_items)), people.astype(np.int32)


def _sums(matrix: sparse.csr_array) -> F64:
    return np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()


def _coherence(matrix: sparse.csr_array) -> F64:
    """Return (P,) the mean over pairs of a profile's items of log((1 + together) / (1 + expected)), without itself."""
    together = (matrix.T @ matrix).tocsr()
    counts, n = _sums(matrix), matrix.shape[0]
    out = np.zeros(n)
    for person in range(n):
        items = matrix.indices[matrix.indptr[person] : matrix.indptr[person + 1]]
        both = together[items][:, items].toarray() - 1.0
        expected = np.outer(counts[items] - 1, counts[items] - 1) / n
        lift = np.log1p(both) - np.log1p(expected)
        out[person] = (lift.sum() - np.trace(lift)) / (len(items) * (len(items) - 1))
    return out
