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

_FEW = 0.1  # added to counts of pairs: small, since in sparse data a single meeting tells much


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
    user_rows: I32, item_rows: I32, *, strange: float = 0.5, sure: float = 4.0, at_least: int = 3
) -> Suspicion:
    """Judge profiles, as N positive events in rows: strange by themselves, and gathered around an item.

    Made-up people must take the item that they push, and fill the rest of their profile with what they do not know to
    belong together. So (1) a profile is the stranger, the less its items come together in other people's; (2) an item
    is pushed where its takers are, without it, stranger than people are, beyond chance (target item analysis, as in
    RD-TIA, Zhou et al. 2014; PCA over people, Mehta and Nejdl 2009, needs the number of attackers, this does not). Only
    a strange profile with a pushed item counts as made up: one that is merely unusual stays.

    Args:
        user_rows: (N,) who took something.
        item_rows: (N,) what they took.
        strange: Share of people with the least coherent profiles who may be suspects.
        sure: Standard errors by which an item's takers must be stranger than everybody.
        at_least: Takers that an item must have to be looked at.
    """
    matrix, people = _matrix(user_rows, item_rows)
    if not len(people):
        return Suspicion(people, np.empty(0), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
    coherence, without = _coherence(matrix)
    takers = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rest = np.bincount(matrix.indices, without, matrix.shape[1]) / np.maximum(takers, 1)
    error = max(float(without.std()), 1e-12) / np.sqrt(np.maximum(takers, 1))
    pushed = np.flatnonzero((takers >= at_least) & (rest < without.mean() - sure * error))
    holds = np.asarray(matrix[:, pushed].sum(axis=1)).ravel() > 0
    return Suspicion(people, coherence, pushed, holds & (coherence <= np.quantile(coherence, strange)))


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


def _coherence(matrix: sparse.csr_array) -> tuple[F64, F64]:
    """Return the mean lift over pairs of a profile's items (P,), and of the rest of it without each item (cells,).

    A pair's lift is log((together + 0.1) / (expected + 0.1)), counted in everybody else's profiles.
    """
    together = (matrix.T @ matrix).tocsr()
    counts, n = np.bincount(matrix.indices, minlength=matrix.shape[1]), matrix.shape[0]
    out, without = np.zeros(n), np.zeros(len(matrix.indices))
    for person in range(n):
        own = slice(int(matrix.indptr[person]), int(matrix.indptr[person + 1]))
        items = matrix.indices[own]
        both = together[items][:, items].toarray() - 1.0
        expected = np.outer(counts[items] - 1, counts[items] - 1) / n
        lift = np.log(both + _FEW) - np.log(expected + _FEW)
        np.fill_diagonal(lift, 0.0)
        whole, size = lift.sum(), len(items)
        out[person] = whole / (size * (size - 1))
        without[own] = (whole - 2 * lift.sum(axis=1)) / ((size - 1) * (size - 2))
    return out, without
