"""All groups side by side: the one path from (question, candidates) to the columns that a ranker reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from inkling.core.arrays import Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ConfigError, nearest
from inkling.core.query import Query
from inkling.features.activity import Activity
from inkling.features.base import FeatureGroup, Moment
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

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in order."""
        return tuple(name for group in self.groups for name in group.names())

    def fit(self, data: Dataset) -> Self:
        """Learn what is known at ``data.until``."""
        for group in self.groups:
            group.fit(data)
        return self

    def update(self, events: Interactions) -> None:
        """Move on with further events."""
        for group in self.groups:
            group.update(events)

    def compute(self, query: Query, items: Candidates) -> Candidates:
        """Return ``items`` with one float32 column a feature in ``fields``; NaN is unknown."""
        moment = Moment(query, items)
        with np.errstate(invalid="ignore", divide="ignore"):
            blocks = [group.compute(moment) for group in self.groups]
        return items.with_fields(
            {
                name: column
                for group, block in zip(self.groups, blocks, strict=True)
                for name, column in zip(group.names(), block, strict=True)
            }
        )

    def state(self) -> dict[str, Array]:
        """Return what was learned as arrays, named ``group.array``."""
        return {f"{group.name}/{key}": array for group in self.groups for key, array in group.state().items()}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        for group in self.groups:
            start = f"{group.name}/"
            group.load_state({key.removeprefix(start): a for key, a in state.items() if key.startswith(start)})
        return self
