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
        out = np.full((9, len(at)), np.nan, dtype=np.float32)
        out[0:4] = 0.0
        out[8] = history.seen(people, moment.items.item_rows)
        if hit.any():
            self._fill(out, moment, hit, at[hit])
        return out

    def _fill(self, out: F32, moment: Moment, hit: Array, pair: Array) -> None:
        history, person = moment.summary, moment.people[hit]
        sessions = history.sessions[pair]
        days = (moment.query.now[person] - history.last_ts[pair]) / DAY_MS
        span = (history.last_ts[pair] - history.first_ts[pair]) / DAY_MS
        gap = np.where(sessions > 1, span / np.maximum(sessions - 1, 1), np.nan)
        out[0, hit] = np.log1p(history.counts[pair])
        out[1, hit] = np.log1p(sessions)
        out[2, hit] = sessions / np.maximum(history.n_sessions[person], 1)
        out[3, hit] = history.faded[pair]
        out[4, hit] = days
        out[5, hit] = gap
        out[6, hit] = days / np.maximum(gap, 0.5)
        out[7, hit] = history.back[pair]

    def state(self) -> Mapping[str, Array]:
        """Return no arrays."""
        return {}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Return self."""
        return self
