"""How people come back to an item: the share who take it again, and the usual days until they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import DAY_MS, Moment

_PRIOR = 5.0


class Loyalty:
    """Learned at fit from (person, item) pairs; it moves slowly, so single events do not update it."""

    name = "loyalty"

    def __init__(self) -> None:
        """Start with nothing known."""
        self.again: F32 = np.empty(0, dtype=np.float32)
        self.gap_days: F32 = np.empty(0, dtype=np.float32)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return ("item_again", "item_gap_days")

    def fit(self, data: Dataset) -> Self:
        """Learn the share of takers who took the item on another day, shrunk to the average, and their mean gap."""
        events = data.interactions.positives()
        pair = events.user_rows.astype(np.int64) * max(data.n_items, 1) + events.item_rows
        order = np.argsort(pair, kind="stable")
        pair, day = pair[order], (events.ts[order] // DAY_MS).astype(np.int64)
        fresh = np.ones(len(pair), dtype=np.bool_)
        fresh[1:] = (pair[1:] != pair[:-1]) | (day[1:] != day[:-1])
        pair, day = pair[fresh], day[fresh]
        same = np.zeros(len(pair), dtype=np.bool_)
        same[1:] = pair[1:] == pair[:-1]
        item = pair % max(data.n_items, 1)
        second = same.copy()
        second[2:] &= ~same[1:-1]
        self.again = _shrunk(item[~same], item[second], data.n_items)
        self.gap_days = _mean_gap(item, same, day, data.n_items)
        return self

    def update(self, events: Interactions) -> None:
        """Do nothing: a single event moves these by too little to matter before the next fit."""

    def compute(self, moment: Moment) -> F32:
        """Return (2, N): share in 0..1, days; NaN for items that came after the fit."""
        return self.compute_items(moment.items.item_rows, 0)

    def compute_items(self, item_rows: I32, now: int) -> F32:
        """Return (2, n) of items; the moment does not matter."""
        rows = item_rows
        known = rows < len(self.again)
        out = np.full((2, len(rows)), np.nan, dtype=np.float32)
        out[0, known], out[1, known] = self.again[rows[known]], self.gap_days[rows[known]]
        return out

    def state(self) -> Mapping[str, Array]:
        """Return what was learned."""
        return {"again": self.again, "gap_days": self.gap_days}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.again, self.gap_days = np.asarray(state["again"]), np.asarray(state["gap_days"])
        return self


def _shrunk(takers: Array, again: Array, n_items: int) -> F32:
    n_takers = np.bincount(takers, minlength=n_items)
    n_again = np.bincount(again, minlength=n_items)
    usual = n_again.sum() / max(n_takers.sum(), 1)
    share: F32 = ((n_again + _PRIOR * usual) / (n_takers + _PRIOR)).astype(np.float32)
    return share


def _mean_gap(item: Array, same: Array, day: Array, n_items: int) -> F32:
    gap = np.zeros(len(day))
    gap[1:] = day[1:] - day[:-1]
    n = np.bincount(item[same], minlength=n_items)
    total = np.bincount(item[same], weights=gap[same], minlength=n_items)
    usual = total.sum() / max(n.sum(), 1)
    mean: F32 = ((total + _PRIOR * usual) / (n + _PRIOR)).astype(np.float32)
    return mean
