"""What this person did with this item: counts, sessions, recency, and whether it is due again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import DAY_MS, Moment


class Own:
    """Features of the pair; everything comes from the history in the question, so there is nothing to fit."""

    name = "own"

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return (
            "own_count",
            "own_sessions",
            "own_share",
            "own_recent",
            "own_days",
            "own_gap",
            "own_due",
            "own_back",
            "own_seen",
        )

    def fit(self, data: Dataset) -> Self:
        """Return self: the history is part of the question."""
        return self

    def update(self, events: Interactions) -> None:
        """Do nothing: the history is part of the question."""

    def compute(self, moment: Moment) -> F32:
        """Return (9, N).

        Counts as log(1 + n), share of the person's sessions, decayed count, days since the last, usual days between,
        elapsed over usual days, sessions since, and whether there was any event with the item.
        """
        history, people = moment.summary, moment.people
        at, hit = history.find(people, moment.items.item_rows)
        out = np.empty((9, len(at)), dtype=np.float32)
        self._pairs(moment).take(np.where(hit, at, len(history.keys)), axis=1, out=out[:8], mode="clip")
        out[8] = history.seen(people, moment.items.item_rows) if moment.wants("own_seen") else np.nan
        return out

    def _pairs(self, moment: Moment) -> F32:
        """Return the first eight columns (8, P + 1) of all pairs, and of a pair that never was."""
        history, owner = moment.summary, moment.summary.owner
        n, sessions = len(owner), history.sessions
        days = (moment.query.now[owner] - history.last_ts) / DAY_MS
        gap = (history.last_ts - history.first_ts) / DAY_MS / np.maximum(sessions - 1, 1)
        gap[sessions <= 1] = np.nan
        out = np.empty((8, n + 1), dtype=np.float32)
        out[:4, n], out[4:, n] = 0.0, np.nan
        np.log1p(history.counts, out=out[0, :n])
        np.log1p(sessions, out=out[1, :n])
        out[2, :n] = sessions / np.maximum(history.n_sessions[owner], 1)
        out[3, :n] = history.faded
        out[4, :n] = days
        out[5, :n] = gap
        out[6, :n] = days / np.maximum(gap, 0.5)
        out[7, :n] = history.back
        return out

    def state(self) -> Mapping[str, Array]:
        """Return no arrays."""
        return {}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Return self."""
        return self
