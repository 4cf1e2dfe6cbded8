"""What a person takes again and again, then what is popular."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import AtLeastZero, Repeats, TasteConfig, day_length, tastes
from inkling.retrieval.base import Because
from inkling.retrieval.popular import Popular, PopularConfig


class RepeatConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``repeat``."""

    half_life_days: AtLeastZero = 180.0
    """Age at which an event of the history counts half; 0 is no decay."""
    repeats: Repeats = "session"
    """How often an item that a person had several times counts: once, once a session, or with each event."""
    due: AtLeastZero = 0.0
    """How sharply an item must be due: its counts are multiplied by (2 r / (1 + r^2))^due, where r is the time since
    the last event over the usual gap between two; 0 is off."""
    prior_gaps: AtLeastZero = 2.0
    """The usual gap of a person and an item counts as if so many gaps of the item had been seen before."""
    popularity: AtLeastZero = 0.3
    """What the most popular item is worth, in counts: breaks ties and fills the list."""
    popular: PopularConfig = PopularConfig(half_life_days=0.0, window_days=7.0)
    """How popularity is counted."""


class Repeat:
    """Personal frequency with recency (Hu et al. 2020, "Modeling Personalized Item Frequency"), then popularity."""

    name = "repeat"
    Config = RepeatConfig

    def __init__(self, config: RepeatConfig | None = None) -> None:
        self.config = config or RepeatConfig()
        self._popular = Popular(self.config.popular)
        self._gaps = np.zeros(0)  # (n_items,) usual time between two events of a person, in timestamp units
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count what is popular and, where due-ness is wanted, learn how long people usually wait.

        Data without a positive event leaves nothing but equal popularity.
        """
        self._day = day_length(data)
        self._popular.fit(data, run)
        self._gaps = _usual_gaps(data, self._day) if self.config.due > 0 else np.zeros(data.n_items)
        return self

    def update(self, events: Interactions) -> None:
        """Count new events for popularity; a person's own counts come with the question, usual gaps with a fit."""
        self._popular.update(events)

    def own(self, query: Query) -> F32:
        """Return (B, n_items): each person's own counts, without popularity."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        people = tastes(query, query.n_items, self.config, self._day)
        for person, (row, taste) in enumerate(zip(out, people, strict=True)):
            row += np.bincount(taste.rows, taste.weights, query.n_items)
            if self.config.due > 0 and len(taste.rows):
                rows = np.unique(taste.rows)
                row[rows] *= self._dueness(query, person, rows)
        return out

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): own counts, and popularity below them."""
        out = self.own(query)
        if self.config.popularity > 0 and query.n_items:
            popular = self._popular.scores(query)
            highest = popular.max(axis=1, keepdims=True)
            out += np.float32(self.config.popularity) * popular / np.where(highest > 0, highest, 1)
        return out

    def _dueness(self, query: Query, person: int, rows: I32) -> F64:
        """Return the factor (M,) of distinct ``rows``: 1 when the usual gap has just passed, less before and after."""
        first, last, n_times = _visits(query, person, rows)
        usual = np.zeros(len(rows))
        known = rows < len(self._gaps)
        usual[known] = self._gaps[rows[known]]
        prior = self.config.prior_gaps
        seen = (n_times - 1) + prior
        gap = np.where(seen > 0, ((last - first) + prior * usual) / np.maximum(seen, 1e-9), usual)
        ratio = (query.now[person] - last) / np.maximum(gap, 1.0)
        ratio = np.maximum(ratio, 1e-3)
        return np.where(gap > 0, np.power(2 * ratio / (1 + ratio * ratio), self.config.due), 1.0)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items most worth taking again, then the most popular."""
        return retrieve(self, query, k, fill=self.config.popularity > 0)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the person's own counts of the item, and its popularity."""
        if not 0 <= item_row < query.n_items:
            return ()
        one = query.take([0])
        own, both = float(self.own(one)[0, item_row]), float(self.scores(one)[0, item_row])
        found = (Because("repeat", item_row, own), Because("popular", -1, both - own))
        return tuple(because for because in found if because.weight > 0)

    def state(self) -> Mapping[str, Array]:
        """Return popularity and gaps."""
        popular = {f"popular.{name}": array for name, array in self._popular.state().items()}
        return {**popular, "gaps": self._gaps, "day": np.array([self._day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        prefix = "popular."
        self._popular.load_state({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        self._gaps, self._day = np.array(state["gaps"]), float(state["day"][0])
        return self


def _visits(query: Query, person: int, rows: I32) -> tuple[I64, I64, I64]:
    """Return the first and the last time and the number of distinct times (M,) that a person had each of ``rows``."""
    own = slice(int(query.history.offsets[person]), int(query.history.offsets[person + 1]))
    keep = (query.history.weights[own] > 0) & np.isin(query.history.item_rows[own], rows)
    place = np.searchsorted(rows, query.history.item_rows[own][keep])
    ts = query.history.ts[own][keep]
    order = np.lexsort((ts, place))
    place, ts = place[order], ts[order]
    distinct = np.append(True, (np.diff(place) != 0) | (np.diff(ts) != 0))
    place, ts = place[distinct], ts[distinct]
    starts = np.searchsorted(place, np.arange(len(rows)))
    n_times = np.bincount(place, minlength=len(rows))
    return ts[starts], ts[starts + n_times - 1], n_times


def _usual_gaps(data: Dataset, day: float) -> F64:
    """Return the mean time (n_items,) between two events of a person with an item, drawn to the mean of all items."""
    events = data.interactions
    events = events.select((events.weights > 0) & (events.user_rows >= 0) & (events.item_rows >= 0))
    order = np.lexsort((events.ts, events.item_rows, events.user_rows))
    items, ts = events.item_rows[order], events.ts[order]
    gaps = np.diff(ts).astype(np.float64)
    again = (np.diff(items) == 0) & (np.diff(events.user_rows[order]) == 0) & (gaps > 0)
    if not again.any() or not np.isfinite(day):
        return np.zeros(data.n_items)
    total = np.bincount(items[1:][again], gaps[again], data.n_items)
    n_gaps = np.bincount(items[1:][again], minlength=data.n_items)
    return np.asarray((total + 5.0 * gaps[again].mean()) / (n_gaps + 5.0))
