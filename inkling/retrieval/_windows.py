"""The latest events of people as rows of equal width: what pooled models read, in training and when asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import I32, I64
from inkling.core.dataset import Interactions
from inkling.core.query import History


def latest(history: History, length: int, n_items: int) -> I32:
    """Return the items (B, length) of each person's latest positive events, newest first; -1 where there are no more.

    Items at or beyond ``n_items`` are passed over.
    """
    good = (history.weights > 0) & (history.item_rows >= 0) & (history.item_rows < n_items)
    counts = np.concatenate([[0], np.cumsum(good)])[history.offsets]
    rows = history.item_rows[good]
    places = counts[1:, None] - 1 - np.arange(length)[None, :]
    there = places >= counts[:-1, None]
    return _picked(rows, places, there)


def _picked(rows: I32, places: I64, there: np.ndarray) -> I32:
    if not len(rows):
        return np.full(places.shape, -1, dtype=np.int32)
    return np.where(there, rows[np.where(there, places, 0)], -1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Windows:
    """Positive events by person, each a target: what came before it, or where nothing has an order, all the others."""

    people: I32  # (N,) ascending
    items: I32  # (N,)
    begins: I64  # (N,) where the person's events begin
    ends: I64  # (N,)
    length: int
    ordered: bool

    @classmethod
    def of(cls, events: Interactions, length: int, *, ordered: bool, rng: np.random.Generator) -> Windows:
        """Read positive events; where they have no order they are shuffled, so that a cut window is a fair sample."""
        known = np.flatnonzero(events.user_rows >= 0)
        if not ordered:
            known = rng.permutation(known)
        index = known[np.argsort(events.user_rows[known], kind="stable")]
        people = events.user_rows[index]
        begins, ends = (np.searchsorted(people, people, side=side).astype(np.int64) for side in ("left", "right"))
        return cls(people, events.item_rows[index], begins, ends, length, ordered)

    def __len__(self) -> int:
        return len(self.items)

    def histories(self, targets: I64) -> I32:
        """Return (B, length) what is known of the person of each target, newest first; -1 where there is no more."""
        begins, ends = self.begins[targets][:, None], self.ends[targets][:, None]
        back = np.arange(1, self.length + 1)[None, :]
        if self.ordered:
            places = targets[:, None] - back
            return _picked(self.items, places, places >= begins)
        sizes = ends - begins
        places = begins + (targets[:, None] - begins - back) % sizes
        return _picked(self.items, places, back < sizes)
