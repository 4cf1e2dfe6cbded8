"""What an item costs now, and beside what this person usually takes.

Prices come from the events so far, never from a catalogue whose date is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import Moment

PRICE_CONTEXTS = ("unit_price", "price")


class Price:
    """The last price seen in an item's events (``context.unit_price`` or ``context.price``)."""

    name = "price"

    def __init__(self) -> None:
        """Start with no prices."""
        self.log_price: F32 = np.empty(0, dtype=np.float32)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return ("item_price", "price_vs_person") if len(self.log_price) else ()

    def fit(self, data: Dataset) -> Self:
        """Take the last price of each item; without prices in the events the group has no columns."""
        priced = any(name in data.interactions.context for name in PRICE_CONTEXTS)
        self.log_price = np.full(data.n_items if priced else 0, np.nan, dtype=np.float32)
        self.update(data.interactions)
        return self

    def update(self, events: Interactions) -> None:
        """Take prices from further events, in their order."""
        name = next((name for name in PRICE_CONTEXTS if name in events.context), None)
        if name is None or len(self.log_price) == 0:
            return
        table = np.array([_number(value) for value in events.context_values[name]] + [np.nan], dtype=np.float32)
        price = table[events.context[name]]
        known = price > 0
        if known.any():
            rows = events.item_rows[known]
            if (grow := int(rows.max()) + 1 - len(self.log_price)) > 0:
                self.log_price = np.concatenate([self.log_price, np.full(grow, np.nan, dtype=np.float32)])
            self.log_price[rows] = np.log1p(price[known])

    def compute(self, moment: Moment) -> F32:
        """Return (2, N): log(1 + price), and its difference to the mean over the person's history."""
        if not len(self.log_price):
            return np.empty((0, len(moment.items.item_rows)), dtype=np.float32)
        rows = moment.items.item_rows
        own = self._of(rows)
        history = moment.query.history
        paid = self._of(history.item_rows)
        has = np.isfinite(paid) & (history.weights > 0)
        paid = paid[has]
        if len(history) == 1:
            person, people = np.zeros(len(paid), dtype=np.int64), np.zeros(1, dtype=np.int64)
        else:
            person, people = np.repeat(np.arange(len(history)), np.diff(history.offsets))[has], moment.people
        total = np.bincount(person, weights=paid, minlength=len(history))
        count = np.bincount(person, minlength=len(history))
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        out = np.empty((2, len(rows)), dtype=np.float32)
        out[0] = own
        np.subtract(own, mean[people], out=out[1], casting="same_kind")
        return out

    def _of(self, rows: Array) -> F32:
        found = self.log_price.take(rows, mode="clip")
        beyond = (rows < 0) | (rows >= len(self.log_price))
        if beyond.any():
            found[beyond] = np.nan
        return found

    def state(self) -> Mapping[str, Array]:
        """Return the prices."""
        return {"log_price": self.log_price}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.log_price = np.array(state["log_price"])
        return self


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
