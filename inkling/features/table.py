"""All groups side by side: the one path from (question, candidates) to the columns that a ranker reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Self

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ConfigError, nearest
from inkling.core.query import Query
from inkling.features.activity import Activity
from inkling.features.base import FeatureGroup, ItemFeatures, Moment
from inkling.features.context import Context
from inkling.features.links import Friends
from inkling.features.loyalty import Loyalty
from inkling.features.own import Own
from inkling.features.people import Attributes
from inkling.features.person import Person
from inkling.features.price import Price
from inkling.features.static import Static

GROUPS: dict[str, type[FeatureGroup]] = {
    group.name: group for group in (Own, Person, Activity, Loyalty, Price, Static, Context, Attributes, Friends)
}


_BY_ITEM = (Activity, Loyalty)
_MINUTE_MS = 60_000


@dataclass(slots=True)
class _Prepared:
    """One group's columns of all items at a moment, at most a minute old; ``stale`` rows had an event since."""

    now: int
    table: F32  # (n_items, n_features)
    stale: set[int]


class FeatureTable:
    """The features of one pipeline."""

    def __init__(self, groups: Sequence[str] = tuple(GROUPS)) -> None:
        """Use the groups of the given names.

        Raises:
            ConfigError: A name is unknown.
        """
        for name in groups:
            if name not in GROUPS:
                raise ConfigError(f"There is no group of features named '{name}'.", hint=nearest(name, GROUPS))
        self.groups: list[FeatureGroup] = [GROUPS[name]() for name in groups]
        self._prepared: dict[str, _Prepared] = {}
        self._named: list[tuple[FeatureGroup, tuple[str, ...]]] = []
        self._lock = Lock()  # one thread moves the groups on while others ask

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in order."""
        return tuple(name for group in self.groups for name in group.names())

    def fit(self, data: Dataset) -> Self:
        """Learn what is known at ``data.until``."""
        for group in self.groups:
            group.fit(data)
        self._prepared, self._named = {}, []
        return self

    def update(self, events: Interactions) -> None:
        """Move on with further events."""
        with self._lock:
            for group in self.groups:
                group.update(events)
            for prepared in self._prepared.values():
                prepared.stale.update(events.item_rows.tolist())

    def compute(self, query: Query, items: Candidates, *, wanted: frozenset[str] | None = None) -> Candidates:
        """Return ``items`` with one float32 column a feature in ``fields``; NaN is unknown.

        Args:
            query: The question.
            items: Its candidates.
            wanted: Names of the columns that will be read; others may be missing or unknown. None for all.
        """
        moment = Moment(query, items, wanted=wanted)
        fields: dict[str, Array] = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for group, names in self._groups_with_names():
                if wanted is None or not wanted.isdisjoint(names):
                    fields.update(zip(names, self._block(group, moment), strict=True))
        return items.with_fields(fields)

    def _groups_with_names(self) -> list[tuple[FeatureGroup, tuple[str, ...]]]:
        """Return the groups that have columns here; which they are is settled by the fit."""
        if not self._named:
            self._named = [(group, names) for group in self.groups if (names := group.names())]
        return self._named

    def _block(self, group: FeatureGroup, moment: Moment) -> F32:
        """Return a group's columns; what depends on the item alone is read from what was prepared for all items."""
        if not isinstance(group, _BY_ITEM):
            return group.compute(moment)
        asked = moment.query.now
        now, n_items = int(asked[0]) if len(asked) else 0, moment.query.n_items
        if len(asked) > 1 and (asked != now).any():
            return group.compute(moment)
        with self._lock:
            prepared = self._up_to_date(group, n_items, now)
            picked: F32 = prepared.table.take(moment.items.item_rows, axis=0)
        return picked.T

    def _up_to_date(self, group: ItemFeatures, n_items: int, now: int) -> _Prepared:
        prepared = self._prepared.get(group.name)
        if prepared is None or len(prepared.table) != n_items or not 0 <= now - prepared.now < _MINUTE_MS:
            everything = np.arange(n_items, dtype=np.int32)
            prepared = _Prepared(now, np.ascontiguousarray(group.compute_items(everything, now).T), set())
            self._prepared[group.name] = prepared
        elif prepared.stale:
            # An item may have come while this question was asked: it lies beyond the question's width.
            rows = np.array(sorted(row for row in prepared.stale if row < n_items), dtype=np.int32)
            prepared.table[rows] = group.compute_items(rows, now).T
            prepared.stale.clear()
        return prepared

    def state(self) -> dict[str, Array]:
        """Return what was learned as arrays, named ``group.array``."""
        return {f"{group.name}/{key}": array for group in self.groups for key, array in group.state().items()}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        for group in self.groups:
            start = f"{group.name}/"
            group.load_state({key.removeprefix(start): a for key, a in state.items() if key.startswith(start)})
        self._prepared, self._named = {}, []
        return self
