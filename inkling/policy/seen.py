"""Takes out what a person already had, for ever or for a while."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from inkling.core.arrays import I64, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.policy.base import PolicyContext


class SeenConfig(Config, frozen=True, kw_only=True):
    """Settings of ``seen``."""

    repeats: bool = False
    """Whether an item may come again to a person who had it."""
    after_days: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """With repeats: not before so many days after the person's last event with it."""
    positive_only: bool = False
    """Only positive events count as having had an item; else every event of the history does."""


class Seen:
    """Drops candidates that are in the person's history."""

    name = "seen"
    Config = SeenConfig

    def __init__(self, config: SeenConfig | None = None, context: PolicyContext | None = None) -> None:
        self.config = config or SeenConfig()
        self._context = context or PolicyContext()

    def apply(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates that the person may be shown."""
        if self.config.repeats and self.config.after_days == 0:
            return items
        events = np.flatnonzero(self._counts(query))
        if not len(events) or not len(items.item_rows):
            return items
        width = 1 + max(int(items.item_rows.max()), int(query.history.item_rows[events].max()))
        had = _people(query.history.offsets)[events] * width + query.history.item_rows[events]
        return items.keep(~np.isin(items.segment_rows * width + items.item_rows, had))

    def _counts(self, query: Query) -> Bool:
        """Return which events (N,) keep their item out."""
        history = query.history
        counts = history.item_rows >= 0
        if self.config.positive_only:
            counts &= history.weights > 0
        if self.config.repeats:
            ages = query.now[_people(history.offsets)] - history.ts
            counts &= ages < self.config.after_days * self._context.day
        return np.asarray(counts)


def _people(offsets: I64) -> I64:
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
