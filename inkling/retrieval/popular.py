"""What many took lately: for everyone, or for everyone in the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._counts import CountLog, Fading
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import AtLeastZero, day_length
from inkling.retrieval.base import Because


class PopularConfig(Config, frozen=True, kw_only=True):
    """Settings of ``popular``."""

    half_life_days: AtLeastZero = 7.0
    """Age at which an event counts half; 0 is no decay."""
    window_days: AtLeastZero = 0.0
    """Only events of so many days before now count; 0 counts all."""
    count: Literal["people", "events"] = "people"
    """Whether a person counts once for an item, or with each event."""
    by: str = ""
    """A context key, such as "country": counts are those of the question's value, backed off to all."""
    back_off: AtLeastZero = 20.0
    """So many of a value's counts are worth as much as the counts of all (Dirichlet smoothing)."""
    tail: AtLeastZero = 0.001
    """Share of all-time popularity mixed in, so that items outside the window keep an order."""


class Popular:
    """Popularity as a share of all counts, decayed and windowed (Ji et al. 2020, "A Re-visit of Popularity")."""

    name = "popular"
    Config = PopularConfig

    def __init__(self, config: PopularConfig | None = None) -> None:
        self.config = config or PopularConfig()
        self._day = np.inf
        self._everyone = CountLog(self._fading())
        self._groups: dict[str, CountLog] = {}
        self._total = np.zeros(0)  # (n_items,) all-time weights

    def _fading(self) -> Fading:
        config = self.config
        half_life, window = config.half_life_days * self._day, config.window_days * self._day
        return Fading(
            half_life if config.half_life_days else np.inf,
            window if config.window_days else np.inf,
            config.count == "people",
        )

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count; data without a positive event makes every item equally popular."""
        events = data.interactions
        events = events.select((events.weights > 0) & (events.item_rows >= 0))
        self._day = day_length(data)
        self._everyone = self._log(events)
        self._total = np.bincount(events.item_rows, events.weights, data.n_items).astype(np.float64)
        names = events.context_values.get(self.config.by, ())
        codes = events.context.get(self.config.by, np.empty(0, dtype=np.int32))
        self._groups = {value: self._log(events.select(codes == code)) for code, value in enumerate(names)}
        return self

    def _log(self, events: Interactions) -> CountLog:
        log = CountLog(self._fading())
        log.fill(events.ts, events.item_rows, events.user_rows, events.weights.astype(np.float64))
        return log

    def update(self, events: Interactions) -> None:
        """Count new events."""
        if not len(events):
            return
        highest = int(events.item_rows.max()) + 1
        if highest > len(self._total):
            self._total = np.concatenate([self._total, np.zeros(highest - len(self._total))])
        names = events.context_values.get(self.config.by, ())
        codes = events.context.get(self.config.by, np.full(len(events), -1, dtype=np.int32)).tolist()
        columns = (events.ts, events.item_rows, events.user_rows, events.weights)
        for ts, item, person, weight, code in zip(*(column.tolist() for column in columns), codes, strict=True):
            if weight <= 0 or item < 0:
                continue
            self._total[item] += weight
            self._everyone.add(ts, item, person, weight)
            if 0 <= code < len(names):
                self._groups.setdefault(names[code], CountLog(self._fading())).add(ts, item, person, weight)

    def shares(self, now: int, n_items: int, value: str | None = None) -> F64:
        """Return each item's share (n_items,) of the counts as of ``now``, for a context value or for all."""
        return self._lately(now, n_items, value) + self._always(n_items)

    def _lately(self, now: int, n_items: int, value: str | None) -> F64:
        every = _share(self._everyone.counts(now, n_items))
        if value is None or value not in self._groups:
            return every
        return _share(self._groups[value].counts(now, n_items) + self.config.back_off * every)

    def _always(self, n_items: int) -> F64:
        total = self._total[:n_items]
        total = np.concatenate([total, np.zeros(n_items - len(total))]) if len(total) < n_items else total
        return self.config.tail * _share(total)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): shares, the same for all who ask at the same moment in the same context."""
        values = query.context.get(self.config.by, (None,) * len(query))
        asked: dict[tuple[int, str | None], list[int]] = {}
        for person, pair in enumerate(zip(query.now.tolist(), values, strict=True)):
            asked.setdefault(pair, []).append(person)
        out = np.empty((len(query), query.n_items), dtype=np.float32)
        always = self._always(query.n_items)
        # In order of time, the running sums move forward only.
        for now, value in sorted(asked, key=lambda pair: (pair[0], pair[1] or "")):
            out[asked[now, value]] = self._lately(now, query.n_items, value) + always
        return out

    @property
    def impersonal(self) -> bool:
        """Whether everybody who asks at the same moment is told the same."""
        return not self.config.by

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k most popular items; those that nobody took come last, so that lists are full."""
        return retrieve(self, query, k, fill=True)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the item's share of the counts."""
        share = float(self.scores(query.take([0]))[0, item_row]) if 0 <= item_row < query.n_items else 0.0
        return (Because("popular", -1, share),) if share > 0 else ()

    def state(self) -> Mapping[str, Array]:
        """Return the counts' logs."""
        arrays: dict[str, Array] = {"total": self._total, "day": np.array([self._day])}
        arrays["groups"] = np.frombuffer(msgspec.json.encode(list(self._groups)), dtype=np.uint8)
        arrays |= self._everyone.to_arrays("all.")
        for index, log in enumerate(self._groups.values()):
            arrays |= log.to_arrays(f"group{index}.")
        return arrays

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._total, self._day = np.array(state["total"]), float(state["day"][0])
        self._everyone = CountLog(self._fading())
        self._everyone.load(state, "all.")
        self._groups = {}
        for index, value in enumerate(msgspec.json.decode(state["groups"].tobytes(), type=list[str])):
            self._groups[value] = CountLog(self._fading())
            self._groups[value].load(state, f"group{index}.")
        return self


def _share(counts: F64) -> F64:
    total = counts.sum()
    return counts / total if total > 0 else counts
