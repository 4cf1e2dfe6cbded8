"""What kind of person asks: how much, how often, how recently, how faithful."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import DAY_MS, Moment


class Person:
    """Features of the person at the moment of asking, from the history in the question."""

    name = "person"

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return ("person_events", "person_sessions", "person_basket", "person_days", "person_gap", "person_loyalty")

    def fit(self, data: Dataset) -> Self:
        """Return self: the history is part of the question."""
        return self

    def update(self, events: Interactions) -> None:
        """Do nothing: the history is part of the question."""

    def compute(self, moment: Moment) -> F32:
        """Return (6, N).

        Counts as log(1 + n), events a session, days since the last event, days between sessions, and the share of
        (item, session) pairs that repeat an item.
        """
        history, query = moment.summary, moment.query
        n_people = len(query)
        distinct = np.bincount(history.owner, minlength=n_people)
        taken = np.bincount(history.owner, weights=history.sessions, minlength=n_people)
        sessions = np.maximum(history.n_sessions, 1)
        span = (history.person_last_ts - history.person_first_ts) / DAY_MS
        rows = np.empty((6, n_people), dtype=np.float32)
        np.log1p(history.n_events, out=rows[0])
        np.log1p(history.n_sessions, out=rows[1])
        np.divide(history.n_events, sessions, out=rows[2])
        rows[3] = (query.now - history.person_last_ts) / DAY_MS
        rows[4] = span / np.maximum(sessions - 1, 1)
        rows[5] = 1 - distinct / np.maximum(taken, 1)
        rows[4, history.n_sessions <= 1] = np.nan
        rows[3::2, history.n_events <= 0] = np.nan
        if n_people == 1:  # the same for all candidates: not copied, so that a reader may see that it is
            return np.ndarray((6, len(moment.people)), dtype=np.float32, buffer=rows, strides=(rows.strides[0], 0))
        spread: F32 = rows[:, moment.people]
        return spread

    def state(self) -> Mapping[str, Array]:
        """Return no arrays."""
        return {}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Return self."""
        return self
