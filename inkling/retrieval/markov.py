"""What follows what: transitions from one step of a person to their next ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import first_of_runs, scale_rows, signals, steps_by_items
from inkling.retrieval._neighbours import Neighbours
from inkling.retrieval._taste import AtLeastZero, Count, Share, Taste, day_length, decay, grounds
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Last = Annotated[int, msgspec.Meta(ge=1)]


class MarkovConfig(Config, frozen=True, kw_only=True):
    """Settings of ``markov``."""

    unit: Literal["session", "event"] = "session"
    """What a step is: a session (a basket, a visit) with all its items, or a single event."""
    last: Last = 5
    """So many of a person's latest steps vote, and so many steps ahead are counted when fitting."""
    decay: Share = 0.7
    """Each step further back, or further ahead, counts so much less."""
    backwards: AtLeastZero = 0.5
    """How much a transition also counts the other way round."""
    basket: AtLeastZero = 0.0
    """How much two items within the same step count."""
    popularity: AtLeastZero = 0.5
    """Power of an item's own count that its transitions are divided by: 0 favours popular items, 1 rare ones."""
    shrink: AtLeastZero = 0.0
    """Transitions are multiplied by support / (support + shrink): what was seen rarely counts less."""
    spread: AtLeastZero = 1.0
    """Power of a step's size that its items' votes are divided by: 1 lets each step vote once, 0 each item."""
    own: AtLeastZero = 1.0
    """How much an item may follow itself: 0 forbids it, 1 counts it as it was seen."""
    neighbours: Count = 200
    """Followers kept for each item; 0 keeps all (item x item places)."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training transition counts half; 0 is no decay."""


class Markov:
    """Weighted transitions over several steps, a sparse Markov chain (Shani et al. 2005)."""

    name = "markov"
    Config = MarkovConfig

    def __init__(self, config: MarkovConfig | None = None) -> None:
        self.config = config or MarkovConfig()
        self._next = Neighbours.none(0)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count what follows what.

        Raises:
            DataError: The data has no positive event.
        """
        events = signals(data, name=self.name)
        left, right = self._transitions(events, data)
        left = left.T.tocsr()
        counts = np.bincount(events.item_rows, minlength=data.n_items)
        divisor = np.power(np.maximum(counts, 1), self.config.popularity).astype(np.float32)

        def finish(values: F32, rows: I32, columns: I32) -> F32:
            if self.config.shrink > 0:
                values = values * (values / (values + np.float32(self.config.shrink)))
            values = values / divisor[columns]
            return np.where(rows == columns, values * np.float32(self.config.own), values).astype(np.float32)

        self._next = Neighbours.build(lambda block: left[block] @ right, finish, data.n_items, self.config.neighbours)
        return self

    def _transitions(self, events: Interactions, data: Dataset) -> tuple[csr_array, csr_array]:
        """Return two matrices (pairs of steps, items) whose product, the first transposed, counts transitions."""
        from scipy.sparse import vstack

        config = self.config
        step_rows, owners = _steps(events, data.n_users, config.unit)
        steps = steps_by_items(step_rows, events, events.weights.astype(np.float64), (len(owners), data.n_items))
        aged = scale_rows(steps, self._ageing(events, step_rows, len(owners), data))
        shared = scale_rows(steps, np.power(np.maximum(np.diff(steps.indptr), 1), -config.spread))
        left: list[Any] = [shared * 0]
        right: list[Any] = [aged]
        for lag in range(1, config.last + 1):
            first = np.flatnonzero(owners[:-lag] == owners[lag:])
            before, after = shared[first] * config.decay ** (lag - 1), aged[first + lag]
            left += [before] + ([after * config.backwards] if config.backwards else [])
            right += [after] + ([before] if config.backwards else [])
        if config.basket:
            left.append(shared * config.basket)
            right.append(aged)
        return vstack(left).tocsr(), vstack(right).tocsr()

    def _ageing(self, events: Interactions, step_rows: I64, n_steps: int, data: Dataset) -> F64:
        newest = np.full(n_steps, np.iinfo(np.int64).min)
        np.maximum.at(newest, step_rows, events.ts)
        return decay(data.until - newest, self.config.fit_half_life_days, day_length(data))

    def _tastes(self, query: Query) -> Iterator[Taste]:
        """Yield each person's latest steps: every item with its step's weight."""
        bounds = query.history.offsets.tolist()
        for start, end in pairwise(bounds):
            yield self._taste(query, slice(start, end))

    def _taste(self, query: Query, own: slice) -> Taste:
        history, config = query.history, self.config
        rows, weights = history.item_rows[own], history.weights[own]
        keep = np.flatnonzero((weights > 0) & (rows >= 0) & (rows < len(self._next)))
        if not len(keep):
            return Taste(rows[:0], weights[:0])
        rows, weights, sessions = rows[keep], weights[keep], history.session_rows[own][keep]
        new = np.ones(len(keep), dtype=np.int64) if config.unit == "event" else first_of_runs(sessions)
        steps = np.cumsum(new)
        back = steps[-1] - steps
        first = int(np.searchsorted(-back, -(config.last - 1)))
        rows, weights, back = rows[first:], weights[first:], back[first:]
        keys = back * len(self._next) + rows
        _, once = np.unique(keys, return_index=True)
        rows, back = rows[once], back[once]
        share = np.power(np.bincount(back)[back], -config.spread) * np.power(config.decay, back)
        return Taste(rows, (weights[once] * share).astype(np.float32))

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what follows each person's latest steps."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for row, taste in zip(out, self._tastes(query), strict=True):
            row[:] = self._next.score(taste, query.n_items)
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return followers and strengths (n_items, K)."""
        return self._next.items, self._next.strengths

    def taste(self, query: Query, person: int) -> Taste:
        """Return what the lists are looked up with."""
        start, end = query.history.offsets[person : person + 2].tolist()
        return self._taste(query, slice(start, end))

    def taste_key(self) -> object:
        """Return what tastes depend on."""
        config = self.config
        return config.unit, config.last, config.decay, config.spread, len(self._next)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that most follow each person's latest steps."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that most follow each item."""
        return self._next.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the latest steps that ``item_row`` follows."""
        taste = next(self._tastes(query))
        return grounds("follows", taste.rows, self._next.contributions(taste, item_row))

    def state(self) -> Mapping[str, Array]:
        """Return what follows each item."""
        return self._next.to_arrays()

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._next = Neighbours.from_arrays(state)
        return self


def _steps(events: Interactions, n_users: int, unit: str) -> tuple[I64, I64]:
    """Return the step (N,) of each event and the owner (steps,) of each step, an owner's steps in order of time.

    Without a person, a session is its own owner; without a session, an event is a step.
    """
    n = len(events)
    alone = np.arange(n, dtype=np.int64) + int(events.session_rows.max(initial=-1)) + 1
    sessions = np.where(events.session_rows >= 0, events.session_rows, alone)
    owners = np.where(events.user_rows >= 0, events.user_rows, n_users + sessions).astype(np.int64)
    labels = np.arange(n, dtype=np.int64) if unit == "event" else sessions
    _, begins, place = np.unique(np.stack([owners, labels], axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.lexsort((begins, owners[begins]))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[place.ravel()], owners[begins[order]]
