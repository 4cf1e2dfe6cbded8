"""What follows what: transitions from the last steps of a person to their next ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._matrix import first_of_runs, signals
from inkling.retrieval._neighbours import Finish, Neighbours
from inkling.retrieval._steps import Steps
from inkling.retrieval._taste import AtLeastZero, Count, Share, Taste, day_length, decay
from inkling.retrieval.base import Because

Last = Annotated[int, msgspec.Meta(ge=1)]
_SESSION_ITEMS = 100
_PERSON_ITEMS = 200


class MarkovConfig(Config, frozen=True, kw_only=True):
    """Settings of ``markov``."""

    unit: Literal["session", "event"] = "session"
    """What a step is: a session (a basket, a visit) with all its items, or a single event."""
    last: Last = 5
    """So many of a person's latest steps vote."""
    decay: Share = 0.7
    """Each step further back counts so much less."""
    ahead: Count = 0
    """So many steps ahead are counted when fitting; 0 takes as many as vote (``last``)."""
    ahead_decay: Share | None = None
    """Each step further ahead counts so much less when fitting; null takes ``decay``."""
    backwards: AtLeastZero = 0.5
    """How much a transition also counts the other way round."""
    gap_days: AtLeastZero = 0.0
    """Time between two steps after which a transition counts half, and a vote as well; 0 is no fading."""
    basket: AtLeastZero = 0.0
    """How much two items within the same step count: no transition, but had together."""
    together: AtLeastZero = 0.0
    """How much it counts that a person had two items at all, in any order, as a back-off from what follows what."""
    back_off: AtLeastZero = 0.0
    """What popularity adds: the most popular item gets so much of what a person's best item has; 0 is off."""
    popularity: AtLeastZero = 0.5
    """Power of an item's own count that the transitions to it are divided by: 0 favours popular items, 1 rare ones."""
    origin: AtLeastZero = 0.0
    """Power of an item's own count that the transitions from it are divided by: what says little of everybody says
    less."""
    shrink: AtLeastZero = 0.0
    """Transitions are multiplied by support / (support + shrink): what was seen rarely counts less."""
    spread: AtLeastZero = 1.0
    """Power of a step's size that its items' votes are divided by: 1 lets each step vote once, 0 each item."""
    own: AtLeastZero = 1.0
    """How much an item may follow itself: 0 forbids it, 1 counts it as it was seen."""
    neighbours: Count = 200
    """Followers kept for each item; 0 keeps all (item x item places)."""
    max_step_items: Count = _SESSION_ITEMS
    """Only so many events of a step, the last, are learned from; 0 is all: pairs grow with the square."""
    max_influence: AtLeastZero = 0.0
    """Against robots and made-up profiles: all steps of one person count like so many at most; 0 is no limit."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training transition counts half; 0 is no decay."""


class Markov(ItemToItem):
    """Weighted transitions over several steps, a sparse Markov chain with skipping (Shani et al. 2005).

    The score of j after the steps s1 (latest), s2, ... is the sum over back and over i in s_back of
    decay^back * n(i -> j) / (count_j^popularity * count_i^origin), where n sums ahead_decay^(lag - 1) over all pairs
    of steps that are ``lag`` apart; backed off to pairs within a step, within a person, and to popularity.
    """

    name = "markov"
    Config = MarkovConfig
    ground = "follows"
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"basket": 0.5},
        {"last": 1, "popularity": 0.0},
        {"decay": 0.6, "ahead_decay": 0.8, "backwards": 0.3, "popularity": 0.2, "origin": 0.4},
        {"decay": 0.6, "ahead_decay": 0.8, "popularity": 0.0, "basket": 0.5, "back_off": 0.5},
    )
    space: ClassVar[Space] = {
        "last": Whole(1, 20),
        "decay": Real(0.3, 1.0),
        "ahead_decay": Real(0.5, 0.95),
        "backwards": Real(0.0, 1.0),
        "popularity": Real(0.0, 0.6),
        "origin": Real(0.0, 0.6),
        "basket": Choice((0.0, 0.25, 0.5, 1.0)),
        "together": Choice((0.0, 0.1, 0.3, 1.0)),
        "back_off": Choice((0.0, 0.1, 0.5, 1.0)),
        "gap_days": Choice((0.0, 7.0, 30.0, 120.0)),
        "shrink": Choice((0.0, 0.5, 2.0)),
    }

    def __init__(self, config: MarkovConfig | None = None) -> None:
        self.config = config or MarkovConfig()
        self._said = Neighbours.none(0)
        self._popular = np.zeros(0, dtype=np.float32)  # (n_items,) 1 for the most popular

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count what follows what, a block of items at a time.

        Raises:
            DataError: The data has no positive event.
        """
        config = self.config
        events = signals(data, name=self.name)
        self._day = day_length(data)
        shape = (data.n_users, data.n_items)
        steps = Steps.of(events, shape, unit=config.unit, max_items=config.max_step_items)
        counted = _Counted(steps, self._ageing(steps, data.until), config, self._half_gap())
        everything = None
        if config.together:
            people = Steps.of(events, shape, unit="person", max_items=_PERSON_ITEMS)
            everything = _Counted(people, self._ageing(people, data.until), config, np.inf)

        def product(block: slice) -> Any:
            found = counted.transitions(block) + counted.within(block) * config.basket
            return found if everything is None else found + everything.within(block) * config.together

        counts = np.bincount(events.item_rows, minlength=data.n_items)
        self._said = Neighbours.build(product, _finisher(counts, config), data.n_items, config.neighbours)
        self._popular = (counts / max(counts.max(), 1)).astype(np.float32)
        return self

    def _ageing(self, steps: Steps, until: int) -> F64:
        return decay(until - steps.ts, self.config.fit_half_life_days, self._day)

    def _half_gap(self) -> float:
        return self.config.gap_days * self._day if self.config.gap_days else np.inf

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what follows each person's latest steps, and popularity below it where wanted."""
        out = super().scores(query)
        if self.config.back_off:
            n = min(len(self._popular), query.n_items)
            highest = out.max(axis=1, initial=0, keepdims=True)
            out[:, :n] += self.config.back_off * np.where(highest > 0, highest, 1) * self._popular[:n]
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return followers and strengths (n_items, K), or None where popularity is added to what they say."""
        return None if self.config.back_off else super().lists()

    def taste(self, query: Query, person: int) -> Taste:
        """Return the latest steps: every item with its step's weight."""
        history, config = query.history, self.config
        start, end = history.offsets[person : person + 2].tolist()
        rows, weights = history.item_rows[start:end], history.weights[start:end]
        keep = np.flatnonzero((weights > 0) & (rows >= 0) & (rows < len(self._said)))
        if not len(keep):
            return Taste(rows[:0], weights[:0])
        rows, weights, sessions = rows[keep], weights[keep], history.session_rows[start:end][keep]
        new = np.ones(len(keep), dtype=np.int64) if config.unit == "event" else first_of_runs(sessions)
        steps = np.cumsum(new)
        back = steps[-1] - steps
        first = int(np.searchsorted(-back, -(config.last - 1)))
        rows, weights, back, keep = rows[first:], weights[first:], back[first:], keep[first:]
        _, once = np.unique(back * len(self._said) + rows, return_index=True)
        rows, back = rows[once], back[once]
        share = np.power(np.bincount(back)[back], -config.spread) * np.power(config.decay, back)
        if config.gap_days:
            ages = query.now[person] - history.ts[start:end][keep[once]]
            share *= decay(ages - ages.min(), config.gap_days, self._day)
        return Taste(rows, (weights[once] * share).astype(np.float32))

    def taste_key(self) -> object:
        """Return what tastes depend on."""
        config = self.config
        return config.unit, config.last, config.decay, config.spread, config.gap_days, self._day, len(self._said)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the latest steps that ``item_row`` follows, and popularity where it is added."""
        found = super().why(query, item_row)
        if not self.config.back_off or not 0 <= item_row < query.n_items:
            return found
        rest = float(self.scores(query.take([0]))[0, item_row]) - sum(because.weight for because in found)
        popular = (Because("popular", -1, rest),) if rest > 1e-9 else ()
        return tuple(sorted((*found, *popular), key=lambda because: -abs(because.weight)))

    def state(self) -> Mapping[str, Array]:
        """Return what follows each item, and popularity."""
        return {**super().state(), "popular": self._popular}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._popular = np.asarray(state["popular"], dtype=np.float32)
        return super().load_state(state)


class _Counted:
    """Steps ready for counting: what their items say, and what they count as followers."""

    def __init__(self, steps: Steps, ageing: F64, config: MarkovConfig, half_gap: float) -> None:
        self._steps, self._config, self._half_gap = steps, config, half_gap
        share = np.power(np.maximum(steps.n_items(), 1), -config.spread)
        if config.max_influence > 0:
            share = share * np.minimum(1.0, config.max_influence / steps.n_of_owner())
        self._shared, self._aged = steps.scaled(share), steps.scaled(ageing)
        self._says = self._shared.T.tocsr()
        self._heard = self._says if self._shared is self._aged else self._aged.T.tocsr()

    def within(self, block: slice) -> Any:
        """Return (block, n_items): pairs within a step."""
        return self._says[block] @ self._aged

    def transitions(self, block: slice) -> Any:
        """Return (block, n_items): pairs of a step and a later one, and the other way round."""
        config = self._config
        says, heard = self._says[block], self._heard[block]
        rate = config.decay if config.ahead_decay is None else config.ahead_decay
        total = says[:, :0] @ self._aged[:0]
        for lag in range(1, (config.ahead or config.last) + 1):
            share = np.float32(rate ** (lag - 1))
            total = total + (self._steps.shifted(says, lag, half_gap=self._half_gap) * share) @ self._aged
            if config.backwards:
                earlier = self._steps.shifted(heard, -lag, half_gap=self._half_gap)
                total = total + (earlier * (share * np.float32(config.backwards))) @ self._shared
        return total


def _finisher(counts: I64, config: MarkovConfig) -> Finish:
    """Return what turns sums of transitions into strengths."""
    least = np.maximum(counts, 1)
    towards, origin = (np.power(least, power).astype(np.float32) for power in (config.popularity, config.origin))

    def finish(values: F32, rows: I32, columns: I32) -> F32:
        if config.shrink > 0:
            values = values * (values / (values + np.float32(config.shrink)))
        values = values / (towards[columns] * origin[rows])
        return np.where(rows == columns, values * np.float32(config.own), values).astype(np.float32)

    return finish
