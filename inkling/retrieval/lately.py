"""What is taken after what lately: transitions that fade with time and move with each event."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import AtLeastZero, Share, day_length
from inkling.retrieval.base import Because

_STEEPEST = 900.0  # half-lives from the fit on: beyond them a weight would leave the range of a float


class LatelyConfig(Config, frozen=True, kw_only=True):
    """Settings of ``lately``."""

    half_life_days: AtLeastZero = 7.0
    """Age at which a transition counts half; 0 is no fading."""
    last: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3
    """So many of a person's latest items vote, and are followed by a new one."""
    decay: Share = 0.6
    """Each item further back counts so much less."""
    backwards: AtLeastZero = 0.3
    """How much a transition also counts the other way round."""
    shrink: AtLeastZero = 1.0
    """Fresh transitions that are added to an item's own: what was seen rarely, or long ago, counts less."""
    neighbours: Annotated[int, msgspec.Meta(ge=1)] = 100
    """Followers kept for each item."""


class Lately:
    """Co-counts that fade and are updated with each event (Ludewig and Jannach 2018; drift: Koren 2009).

    With a transition i -> j at time t worth 2^((t - now) / half_life), the score of j after the items i1 (latest), i2,
    ... is the sum over back of decay^back * n(i_back -> j) / (n(i_back) + shrink). Weights are kept relative to one
    moment, so an event is one addition, and neither the order of batches nor their size matters.
    """

    name = "lately"
    Config = LatelyConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"half_life_days": 2.0},
        {"half_life_days": 30.0},
        {"last": 1, "backwards": 0.0},
    )
    space: ClassVar[Space] = {
        "half_life_days": Real(0.5, 60.0, log=True),
        "last": Whole(1, 10),
        "decay": Real(0.3, 1.0),
        "backwards": Real(0.0, 1.0),
        "shrink": Choice((0.0, 1.0, 5.0)),
    }

    def __init__(self, config: LatelyConfig | None = None) -> None:
        self.config = config or LatelyConfig()
        self._begin(0, np.inf)

    def _begin(self, moment: int, day: float) -> None:
        self._moment, self._day = moment, day
        self._after: dict[int, dict[int, float]] = {}
        self._total: dict[int, float] = {}
        self._latest: dict[int, deque[int]] = {}

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count what the data holds, oldest first, as if each event came by ``update``."""
        self._begin(data.until, day_length(data))
        self.update(data.interactions)
        return self

    def _worth(self, ts: float) -> float:
        """Return what a transition at a moment is worth, relative to the moment of the fit."""
        half_life = self.config.half_life_days * self._day
        if not half_life or not np.isfinite(half_life):
            return 1.0
        steep: float = 2.0 ** min((ts - self._moment) / half_life, _STEEPEST)
        return steep

    def update(self, events: Interactions) -> None:
        """Count new events: each follows the person's latest ones."""
        weights = events.weights > 0
        keep = np.flatnonzero(weights & (events.user_rows >= 0) & (events.item_rows >= 0))
        users, items, times = (column[keep].tolist() for column in (events.user_rows, events.item_rows, events.ts))
        for user, item, ts in zip(users, items, times, strict=True):
            latest = self._latest.get(user)
            if latest is None:
                latest = self._latest[user] = deque(maxlen=self.config.last)
            worth = self._worth(ts)
            for before in reversed(latest):
                self._count(before, item, worth)
                if self.config.backwards:
                    self._count(item, before, worth * self.config.backwards)
                worth *= self.config.decay
            latest.append(item)

    def _count(self, before: int, item: int, worth: float) -> None:
        if before == item:
            return
        row = self._after.setdefault(before, {})
        row[item] = row.get(item, 0.0) + worth
        self._total[before] = self._total.get(before, 0.0) + worth
        if len(row) > 2 * self.config.neighbours:
            best = sorted(row.items(), key=lambda pair: (-pair[1], pair[0]))[: self.config.neighbours]
            self._after[before] = dict(best)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what is taken lately after each person's latest items."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for person, row in enumerate(out):
            for item, share in self._voting(query, person):
                rows, votes = self._votes(item, float(query.now[person]), query.n_items)
                row[rows] += (share * votes).astype(np.float32)
        return out

    def _voting(self, query: Query, person: int) -> list[tuple[int, float]]:
        """Return a person's latest distinct items, and what each counts."""
        history = query.history
        own = slice(int(history.offsets[person]), int(history.offsets[person + 1]))
        rows = history.item_rows[own][history.weights[own] > 0]
        latest = list(dict.fromkeys(rows[::-1].tolist()))[: self.config.last]
        return [(item, self.config.decay**back) for back, item in enumerate(latest)]

    def _votes(self, item: int, now: float, n_items: int) -> tuple[I32, Array]:
        pairs = list(self._after.get(item, {}).items())  # at once: another thread may count meanwhile
        found = [(row, weight) for row, weight in pairs if row < n_items]
        rows = np.array([row for row, _ in found], dtype=np.int32)
        fresh = self.config.shrink * self._worth(now)
        return rows, np.array([weight for _, weight in found]) / max(self._total.get(item, 0.0) + fresh, 1e-300)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that are taken most after each person's latest ones."""
        return retrieve(self, query, k)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the latest items that ``item_row`` follows, strongest first."""
        if not 0 <= item_row < query.n_items:
            return ()
        found = []
        for item, share in self._voting(query, 0):
            rows, votes = self._votes(item, float(query.now[0]), query.n_items)
            weight = share * float(votes[rows == item_row].sum())
            if weight > 0:
                found.append(Because("follows", item, weight))
        return tuple(sorted(found, key=lambda because: -because.weight))

    def state(self) -> Mapping[str, Array]:
        """Return transitions, their sums, and each person's latest items."""
        pairs = [(before, item, worth) for before, row in self._after.items() for item, worth in row.items()]
        latest = [(user, item) for user, items in self._latest.items() for item in items]
        return {
            "from": np.array([pair[0] for pair in pairs], dtype=np.int32),
            "to": np.array([pair[1] for pair in pairs], dtype=np.int32),
            "worth": np.array([pair[2] for pair in pairs], dtype=np.float64),
            "total_of": np.array(list(self._total), dtype=np.int32),
            "total": np.array(list(self._total.values()), dtype=np.float64),
            "latest": np.array(latest, dtype=np.int32).reshape(-1, 2),
            "moment": np.array([self._moment], dtype=np.int64),
            "day": np.array([self._day], dtype=np.float64),
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._begin(int(state["moment"][0]), float(state["day"][0]))
        columns = (state["from"].tolist(), state["to"].tolist(), state["worth"].tolist())
        for before, item, worth in zip(*columns, strict=True):
            self._after.setdefault(before, {})[item] = worth
        self._total = dict(zip(state["total_of"].tolist(), state["total"].tolist(), strict=True))
        for user, item in state["latest"].tolist():
            self._latest.setdefault(user, deque(maxlen=self.config.last)).append(item)
        return self
