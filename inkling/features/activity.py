"""What happens to an item: decayed counts of each event, rates between events, trend, age and recency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import DAY_MS, Moment
from inkling.features.decay import DecayedCounts

HALF_LIVES_DAYS = (2.0, 7.0, 21.0, 60.0)
_NEVER = np.iinfo(np.int64).max
_PRIOR = 5.0  # events of the average item that a rate is shrunk towards


class Activity:
    """Counters of positive events over four half-lives, of every other event over one, and rates between them.

    A rate is (count of the event + prior) / (count of impressions or, where none are logged, of all events + prior).
    """

    name = "activity"

    def __init__(self) -> None:
        """Start with no events."""
        self.event_names: tuple[str, ...] = ()
        self.positives = DecayedCounts([days * DAY_MS for days in HALF_LIVES_DAYS])
        self.by_event: list[DecayedCounts] = []
        self.first_ts: I64 = np.empty(0, dtype=np.int64)
        self.last_ts: I64 = np.empty(0, dtype=np.int64)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns; one count and one rate for each event when there are several."""
        counts = tuple(f"item_count_{days:g}d" for days in HALF_LIVES_DAYS)
        base = (*counts, "item_trend_short", "item_trend_long", "item_age_days", "item_idle_days")
        several = self.event_names if len(self.event_names) > 1 else ()
        return base + tuple(f"item_{event}_30d" for event in several) + tuple(f"item_{event}_rate" for event in several)

    def fit(self, data: Dataset) -> Self:
        """Count the events of ``data``."""
        events = data.interactions
        self.event_names = events.event_names
        self.positives = DecayedCounts(
            [days * DAY_MS for days in HALF_LIVES_DAYS], data.n_items, reference_ms=data.until
        )
        self.by_event = [DecayedCounts([30 * DAY_MS], data.n_items, reference_ms=data.until) for _ in self.event_names]
        self.first_ts = np.full(data.n_items, _NEVER, dtype=np.int64)
        self.last_ts = np.full(data.n_items, -_NEVER, dtype=np.int64)
        self.update(events)
        return self

    def update(self, events: Interactions) -> None:
        """Count further events."""
        if len(events) == 0:
            return
        self._grow(int(events.item_rows.max()) + 1)
        liked = events.positive
        self.positives.add(events.item_rows[liked], events.ts[liked], events.weights[liked])
        for code, counts in enumerate(self.by_event):
            of = events.events == code
            counts.add(events.item_rows[of], events.ts[of])
        np.minimum.at(self.first_ts, events.item_rows, events.ts)
        np.maximum.at(self.last_ts, events.item_rows, events.ts)

    def compute(self, moment: Moment) -> F32:
        """Return (n_features, N): see ``_columns``."""
        return self._columns(moment.items.item_rows, moment.now)

    def compute_items(self, item_rows: I32, now: int) -> F32:
        """Return (n_features, n) of items at one moment."""
        return self._columns(item_rows, np.full(len(item_rows), now, dtype=np.int64))

    def _columns(self, rows: I32, now: I64) -> F32:
        """Return counts as log(1 + n), trends as differences of logs, days since first and last event, rates."""
        counts = self.positives.at(rows, now)
        weekly = counts / np.asarray(HALF_LIVES_DAYS, dtype=np.float32)[:, None]
        trend = np.log((weekly[[0, 1]] + 0.02) / (weekly[[1, 2]] + 0.02))
        known = rows < len(self.first_ts)
        safe = np.where(known, rows, 0)
        seen = known & (self.first_ts[safe] != _NEVER) if len(self.first_ts) else known
        ages = np.full((2, len(rows)), np.nan, dtype=np.float32)
        ages[0, seen] = (now[seen] - self.first_ts[rows[seen]]) / DAY_MS
        ages[1, seen] = (now[seen] - self.last_ts[rows[seen]]) / DAY_MS
        parts = [np.log1p(counts), trend.astype(np.float32), ages]
        if len(self.event_names) > 1:
            parts += self._rates(rows, now)
        return np.concatenate(parts)

    def _rates(self, rows: I32, now: I64) -> list[F32]:
        each = np.concatenate([counts.at(rows, now) for counts in self.by_event])
        when = int(now.max()) if len(now) else 0
        overall = np.array([counts.total(when)[0] for counts in self.by_event])
        shown = self.event_names.index("impression") if "impression" in self.event_names else None
        if shown is not None and overall[shown] <= 0:
            shown = None
        total = each.sum(axis=0) if shown is None else each[shown]
        base = overall.sum() if shown is None else overall[shown]
        usual = (overall / (base if base > 0 else 1.0)).astype(np.float32)[:, None]
        return [np.log1p(each), ((each + _PRIOR * usual) / (total + _PRIOR)).astype(np.float32)]

    def _grow(self, n_rows: int) -> None:
        missing = n_rows - len(self.first_ts)
        if missing > 0:
            self.first_ts = np.concatenate([self.first_ts, np.full(missing, _NEVER)])
            self.last_ts = np.concatenate([self.last_ts, np.full(missing, -_NEVER)])

    def state(self) -> Mapping[str, Array]:
        """Return the counters as arrays."""
        names = np.frombuffer("\x1f".join(self.event_names).encode(), dtype=np.uint8)  # their order is that of codes
        arrays: dict[str, Array] = {"first_ts": self.first_ts, "last_ts": self.last_ts, "event_names": names}
        arrays |= self.positives.state("positives")
        for name, counts in zip(self.event_names, self.by_event, strict=True):
            arrays |= counts.state(f"event.{name}")
        return arrays

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.first_ts, self.last_ts = np.array(state["first_ts"]), np.array(state["last_ts"])
        self.positives.load_state("positives", dict(state))
        joined = bytes(np.asarray(state["event_names"], dtype=np.uint8)).decode()
        self.event_names = tuple(joined.split("\x1f")) if joined else ()
        self.by_event = [DecayedCounts([30 * DAY_MS]) for _ in self.event_names]
        for name, counts in zip(self.event_names, self.by_event, strict=True):
            counts.load_state(f"event.{name}", dict(state))
        return self
