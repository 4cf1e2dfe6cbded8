"""What is known of the asking person besides their events: how an item does among people with the same attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features._lift import Lift
from inkling.features.base import Moment

_MAX_VALUES = 100


class Attributes:
    """One column for each attribute of people with 2 to 100 values (``about`` is free text and no attribute)."""

    name = "people"

    def __init__(self) -> None:
        """Start with no attributes."""
        self.lifts: dict[str, Lift] = {}
        self.codes: dict[str, I32] = {}
        self.values: dict[str, tuple[str, ...]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(f"lift_person_{name}" for name in self.lifts)

    def fit(self, data: Dataset) -> Self:
        """Count positive events by the attributes of those who acted."""
        self.lifts, self.codes, self.values = {}, {}, {}
        if data.people is not None:
            for name in data.people.frame.columns:
                if name not in ("user_id", "about"):
                    self._add_attribute(name, data)
        self.update(data.interactions)
        return self

    def _add_attribute(self, name: str, data: Dataset) -> None:
        assert data.people is not None
        column = data.people.frame[name]
        if column.dtype.is_nested():
            return
        texts = ["" if value is None else str(value) for value in column.to_list()]
        values = tuple(sorted(set(texts) - {""}))
        if 2 <= len(values) <= _MAX_VALUES:
            code = {value: i for i, value in enumerate(values)}
            self.codes[name] = np.array([code.get(text, -1) for text in texts], dtype=np.int32)
            self.values[name], self.lifts[name] = values, Lift()

    def update(self, events: Interactions) -> None:
        """Count further events of people who were known at fit."""
        liked = events.select(events.positive)
        for name, lift in self.lifts.items():
            lift.add(self._code(name, liked.user_rows), self.values[name], liked.item_rows, liked.weights)

    def _code(self, name: str, user_rows: I32) -> I32:
        codes = self.codes[name]
        known = (user_rows >= 0) & (user_rows < len(codes))
        return np.where(known, codes[np.where(known, user_rows, 0)], -1).astype(np.int32)

    def compute(self, moment: Moment) -> F32:
        """Return (n_attributes, N) log ratios, 0 where the attribute is not known."""
        out = np.zeros((len(self.lifts), len(moment.items.item_rows)), dtype=np.float32)
        offsets = moment.items.offsets
        for column, (name, lift) in enumerate(self.lifts.items()):
            for person, code in enumerate(self._code(name, moment.query.user_rows).tolist()):
                span = slice(offsets[person], offsets[person + 1])
                value = self.values[name][code] if code >= 0 else None
                out[column, span] = lift.read(value, moment.items.item_rows[span])
        return out

    def state(self) -> Mapping[str, Array]:
        """Return codes and counts as arrays."""
        arrays: dict[str, Array] = {}
        for name, lift in self.lifts.items():
            arrays |= lift.state(name)
            arrays[f"{name}.codes"] = self.codes[name]
            arrays[f"{name}.names"] = np.frombuffer("\x1f".join(self.values[name]).encode(), dtype=np.uint8)
        return arrays

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.lifts = {key.removesuffix(".cells"): Lift() for key in state if key.endswith(".cells")}
        for name, lift in self.lifts.items():
            lift.load_state(name, dict(state))
            self.codes[name] = np.asarray(state[f"{name}.codes"])
            joined = bytes(np.asarray(state[f"{name}.names"], dtype=np.uint8)).decode()
            self.values[name] = tuple(joined.split("\x1f")) if joined else ()
        return self
