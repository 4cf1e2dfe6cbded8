"""A cancellation takes a purchase back, from its own time on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I64

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Positions of events that are gone, and of events that shrank, with what is left of them."""

    removed: I64
    reduced: I64
    left: F32


def take_back(frame: pl.DataFrame, rules: Mapping[str, str]) -> TakenBack:
    """Return what the cancellations in ``frame`` do to the events before them.

    A cancellation acts on the latest earlier event of the kind that it takes back, of the same person and item, which
    is still there (of events at one time: the one that lies later in the table). It removes that event when its
    quantity (the absolute value) reaches the event's, or when either has none; else it lessens the event's value. A
    cancellation without such an event does nothing. It never reaches a second event: an excess is dropped.

    Args:
        frame: Events in any order; time ties are broken by position.
        rules: Event -> the event that it takes back.
    """
    removed: list[int] = []
    left: dict[int, float] = {}
    for cancel, target in rules.items():
        _match(_affected(frame, cancel, target), cancel, removed, left)
    gone = set(removed)
    reduced = sorted(row for row in left if row not in gone)
    return TakenBack(
        np.array(sorted(removed), dtype=np.int64),
        np.array(reduced, dtype=np.int64),
        np.array([left[row] for row in reduced], dtype=np.float32),
    )


def _affected(frame: pl.DataFrame, cancel: str, target: str) -> Iterable[tuple[str, str, int, str, float | None]]:
    """Return the events of the people and items that a cancellation concerns, by person and item, then by time."""
    import polars as pl

    keys = ["user_id", "item_id"]
    lazy = frame.lazy().select(*keys, "timestamp", "event", "value").with_row_index("row")
    some = lazy.filter(pl.col("event") == cancel).select(keys).unique()
    rows = lazy.filter(pl.col("event").is_in([cancel, target])).join(some, on=keys, how="semi")
    ordered = rows.sort(*keys, "timestamp", "row").select(*keys, "row", "event", "value").collect()
    return ordered.iter_rows()


def _match(
    rows: Iterable[tuple[str, str, int, str, float | None]], cancel: str, removed: list[int], left: dict[int, float]
) -> None:
    """Walk each person's item in time order with a stack of what is still there."""
    stack: list[tuple[int, float | None]] = []
    key: tuple[str, str] | None = None
    for user, item, row, event, value in rows:
        if (user, item) != key:
            key, stack = (user, item), []
        if event != cancel:
            stack.append((row, value))
        elif stack:
            bought_row, bought = stack.pop()
            if bought is None or value is None or math.isnan(bought) or abs(value) >= abs(bought):
                removed.append(bought_row)
            else:
                rest = bought - math.copysign(abs(value), bought)
                left[bought_row] = rest
                stack.append((bought_row, rest))
