"""The steps that people took, one after the other: what transitions are counted from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from inkling.core.arrays import F64, I64
from inkling.core.dataset import Interactions
from inkling.retrieval._matrix import Sparse, scale_rows, steps_by_items

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Unit = Literal["session", "event", "person"]


@dataclass(frozen=True, slots=True)
class Steps:
    """S steps of all owners: an owner's steps follow each other in order of time."""

    items: csr_array  # (S, n_items) the largest weight of an item within a step
    owners: I64  # (S,)
    ts: I64  # (S,) the newest event of each step

    @classmethod
    def of(cls, events: Interactions, shape: tuple[int, int], *, unit: Unit, max_items: int = 0) -> Steps:
        """Cut events into steps.

        Args:
            events: Positive events (N,), oldest first. Without a person, a session is its own owner; without a
                session, an event is one.
            shape: Number of people and items.
            unit: What a step is: a session with all its items, a single event, or everything of an owner.
            max_items: Only so many of a step's events, the last, are read; 0 reads all.
        """
        labels, owners = _labels(events, shape[0], unit)
        _, begins, place = np.unique(labels, return_index=True, return_inverse=True)
        order = np.lexsort((begins, owners[begins]))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        rows = rank[place]
        newest = np.full(len(order), np.iinfo(np.int64).min)
        np.maximum.at(newest, rows, events.ts)
        kept = _last_of_each(rows, max_items)
        chosen = events if len(kept) == len(events) else events.select(kept)
        items = steps_by_items(rows[kept], chosen, chosen.weights.astype(np.float64), (len(order), shape[1]))
        return cls(items, owners[begins[order]], newest)

    def __len__(self) -> int:
        return len(self.owners)

    def n_items(self) -> I64:
        """Return how many items each step (S,) has."""
        return np.asarray(np.diff(self.items.indptr), dtype=np.int64)

    def n_of_owner(self) -> I64:
        """Return, for each step (S,), how many steps its owner took."""
        starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
        lengths = np.diff(starts, append=len(self))
        return np.repeat(lengths, lengths)

    def scaled(self, factors: F64) -> csr_array:
        """Return (S, n_items) with each step multiplied by its factor; the very same matrix where all are 1."""
        return self.items if (factors == 1).all() else scale_rows(self.items, factors)

    def shifted(self, rows: Sparse, lag: int, *, half_gap: float) -> Sparse:
        """Move what is said of steps (block, S) to the steps ``lag`` places later (below 0: earlier) of the same owner.

        Args:
            rows: Sparse, a number for each step.
            lag: How many places.
            half_gap: Time between two steps, in timestamp units, that halves what is moved; infinite is no fading.
        """
        from scipy.sparse import csr_array

        at = rows.indices.astype(np.int64)
        to = at + lag
        inside = np.flatnonzero((to >= 0) & (to < len(self)))
        inside = inside[self.owners[to[inside]] == self.owners[at[inside]]]
        at, to = at[inside], to[inside]
        data = rows.data[inside]
        if np.isfinite(half_gap):
            data = (data * np.exp2(np.abs(self.ts[to] - self.ts[at]) / -half_gap)).astype(np.float32)
        kept = np.concatenate([[0], np.cumsum(np.bincount(inside, minlength=len(rows.indices)))])
        return csr_array((data, to, kept[rows.indptr]), shape=rows.shape)


def _labels(events: Interactions, n_users: int, unit: Unit) -> tuple[I64, I64]:
    """Return the step's label and the owner (N,), (N,) of each event."""
    n = len(events)
    alone = np.arange(n, dtype=np.int64) + int(events.session_rows.max(initial=-1)) + 1
    sessions = np.where(events.session_rows >= 0, events.session_rows, alone)
    owners = np.where(events.user_rows >= 0, events.user_rows, n_users + sessions).astype(np.int64)
    if unit == "event":
        return np.arange(n, dtype=np.int64), owners
    if unit == "person":
        return owners, owners
    return owners * (int(sessions.max(initial=0)) + 1) + sessions, owners


def _last_of_each(rows: I64, limit: int) -> I64:
    """Return, ascending, the positions of the last ``limit`` entries of each row; all where it is 0."""
    if limit <= 0:
        return np.arange(len(rows))
    order = np.argsort(rows, kind="stable")
    n_of = np.bincount(rows)
    ends = np.cumsum(n_of)
    return np.sort(order[np.repeat(ends, n_of) - np.arange(len(rows)) <= limit])
