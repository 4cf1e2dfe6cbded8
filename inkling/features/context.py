"""Where and when: how an item does in this context (country, device, weekday, hour) compared with everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I64, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features._lift import Lift
from inkling.features.base import Moment
from inkling.features.price import PRICE_CONTEXTS

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = tuple(f"{hour:02d}" for hour in range(24))
_DERIVED = ("weekday", "hour")


class Context:
    """One column for each name in the scenario's ``context``; ``weekday`` and ``hour`` come from the clock (UTC)."""

    name = "context"

    def __init__(self) -> None:
        """Start with no contexts."""
        self.lifts: dict[str, Lift] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(f"lift_{name}" for name in self.lifts)

    def fit(self, data: Dataset) -> Self:
        """Count the events of ``data`` by context."""
        there = data.interactions.context
        names = (name for name in data.scenario.context if name not in PRICE_CONTEXTS)
        self.lifts = {name: Lift() for name in names if name in there or name in _DERIVED}
        self.update(data.interactions)
        return self

    def update(self, events: Interactions) -> None:
        """Count further events."""
        liked = events.select(events.positive)
        for name, lift in self.lifts.items():
            if name in liked.context:
                lift.add(liked.context[name], liked.context_values[name], liked.item_rows, liked.weights)
            elif name in _DERIVED:
                values, names = _derived(name, liked.ts)
                lift.add(values, names, liked.item_rows, liked.weights)

    def compute(self, moment: Moment) -> F32:
        """Return (n_contexts, N) log ratios, 0 where the context is not given."""
        out = np.zeros((len(self.lifts), len(moment.items.item_rows)), dtype=np.float32)
        offsets = moment.items.offsets
        for column, (name, lift) in enumerate(self.lifts.items()):
            for person, value in enumerate(_asked(name, moment)):
                span = slice(offsets[person], offsets[person + 1])
                out[column, span] = lift.read(value, moment.items.item_rows[span])
        return out

    def state(self) -> Mapping[str, Array]:
        """Return the counts as arrays."""
        arrays: dict[str, Array] = {}
        for name, lift in self.lifts.items():
            arrays |= lift.state(name)
        return arrays

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.lifts = {key.removesuffix(".cells"): Lift() for key in state if key.endswith(".cells")}
        for name, lift in self.lifts.items():
            lift.load_state(name, dict(state))
        return self


def _asked(name: str, moment: Moment) -> tuple[str | None, ...]:
    given = moment.query.context.get(name)
    if given is not None:
        return given
    if name not in _DERIVED:
        return (None,) * len(moment.query)
    values, names = _derived(name, moment.query.now)
    return tuple(names[code] for code in values.tolist())


def _derived(name: str, ts: I64) -> tuple[Array, tuple[str, ...]]:
    if name == "hour":
        return (ts // 3_600_000) % 24, HOURS
    return (ts // 86_400_000 + 3) % 7, WEEKDAYS  # 1970-01-01 was a Thursday
