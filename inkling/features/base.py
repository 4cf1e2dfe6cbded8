"""The contract of a feature group: fitted once, moved by each event, read point in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, runtime_checkable

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.features.history import HistorySummary

DAY_MS = 86_400_000.0


class Moment:
    """What the groups of one answer share: the question, the candidates, and the history summed up once."""

    __slots__ = ("items", "people", "query", "summary", "wanted")

    def __init__(self, query: Query, items: Candidates, *, wanted: frozenset[str] | None = None) -> None:
        """Sum up the history of ``query`` for ``items``; only ``wanted`` columns will be read (None: all)."""
        self.wanted = wanted
        self.query = query
        self.items = items
        self.people: I64 = items.segment_rows
        self.summary = HistorySummary.of(query.history, query.n_items, query.now)

    def wants(self, name: str) -> bool:
        """Return whether a column will be read; one that will not may be left unknown."""
        return self.wanted is None or name in self.wanted

    @property
    def now(self) -> I64:
        """Return the moment of asking (N,) of each candidate's person."""
        now: I64 = self.query.now[self.people]
        return now


@runtime_checkable
class FeatureGroup(Protocol):
    """Some columns about (person, item, moment). The same code serves training and requests.

    ``fit`` looks at ``data`` only, so what it knows is what was known at ``data.until``; ``update`` moves it on with
    each event, so that fit then update equals fit on both. ``compute`` returns (n_features, N) float32, NaN where
    unknown.
    """

    name: str

    def names(self) -> tuple[str, ...]: ...
    def fit(self, data: Dataset) -> Self: ...
    def update(self, events: Interactions) -> None: ...
    def compute(self, moment: Moment) -> F32: ...
    def state(self) -> Mapping[str, Array]: ...
    def load_state(self, state: Mapping[str, Array]) -> Self: ...


@runtime_checkable
class ItemFeatures(FeatureGroup, Protocol):
    """A group whose columns depend on the item and the moment alone: they can be prepared before anyone asks."""

    def compute_items(self, item_rows: I32, now: int) -> F32: ...
