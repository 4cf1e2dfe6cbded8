"""The rules of cleaning that look at other rows. Each takes a table and returns it with how many rows it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.scenario import Scenario
from inkling.events.build import positive_mask
from inkling.events.cancel import take_back
from inkling.events.codes import codes

if TYPE_CHECKING:
    import polars as pl

DAY_MS = 86_400_000


def drop_old(frame: pl.DataFrame, days: float) -> tuple[pl.DataFrame, int]:
    """Leave out events more than ``days`` before the part's last one."""
    import polars as pl

    return frame.filter(pl.col("timestamp") >= pl.col("timestamp").max() - int(days * DAY_MS)), 0


def drop_duplicates(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Count the same event once: the first row of an ``event_id``, and the first of equal rows without one.

    Rows are told apart by a 64-bit hash; only rows whose hash occurs twice are compared cell by cell.
    """
    if "event_id" not in frame.columns or frame["event_id"].null_count() == frame.height:
        return _drop_equal(frame, frame.columns), 0
    import polars as pl

    # An event with an id of its own may equal another one in all else: two clicks are two clicks.
    frame = frame.filter(pl.col("event_id").is_null() | pl.col("event_id").is_first_distinct())
    return _drop_equal(frame, frame.columns), 0


def _drop_equal(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    hashes = frame.select(columns).hash_rows()
    if hashes.n_unique() == frame.height:
        return frame
    twice = hashes.is_duplicated()
    rows = twice.arg_true()
    first = frame.select(columns).filter(twice).with_row_index("__row").unique(subset=columns, keep="first")
    keep = np.ones(frame.height, dtype=np.bool_)
    keep[rows.to_numpy()] = False
    keep[rows.gather(first["__row"]).to_numpy()] = True
    return frame.filter(keep)


def drop_taken_back(frame: pl.DataFrame, scenario: Scenario) -> tuple[pl.DataFrame, int]:
    """Leave out what a later cancellation took back, and lessen what it took back in part (see ``cancel``)."""
    import polars as pl

    back = take_back(frame, scenario.takes_back)
    if len(back.reduced):
        frame = frame.with_columns(frame["value"].clone().scatter(back.reduced, pl.Series(back.left, dtype=pl.Float32)))
    if len(back.removed):
        keep = np.ones(frame.height, dtype=np.bool_)
        keep[back.removed] = False
        frame = frame.filter(keep)
    return frame, len(back.reduced)


def drop_robots(frame: pl.DataFrame, max_events: int) -> tuple[pl.DataFrame, int]:
    """Leave out people with more events than ``max_events``; events without a person stay."""
    users, n_users = codes(frame["user_id"])
    counts = np.bincount(users + 1, minlength=n_users + 1)
    counts[0] = 0
    return _keep(frame, counts[users + 1] <= max_events), 0


def drop_rare(frame: pl.DataFrame, scenario: Scenario) -> tuple[pl.DataFrame, int]:
    """Leave out people and items with too few positive events, again and again until every one left has enough.

    A person or an item that goes takes all events along, positive or not. A minimum of 1 or less is no rule; events
    without a person or an item are left alone by the rule that would look at it.
    """
    rules = scenario.cleaning
    users, n_users = codes(frame["user_id"])
    items, n_items = codes(frame["item_id"])
    positive = positive_mask(frame, scenario)
    keep = np.ones(frame.height, dtype=np.bool_)
    while True:
        counted = keep & positive
        enough = _enough(users, counted, n_users, rules.min_user_events)
        enough &= _enough(items, counted, n_items, rules.min_item_events)
        smaller = keep & enough
        if smaller.sum() == keep.sum():
            return _keep(frame, keep), 0
        keep = smaller


def _enough(rows: np.ndarray[tuple[int], np.dtype[np.int32]], counted: Bool, n: int, least: int) -> Bool:
    if least <= 1:
        return np.ones(len(rows), dtype=np.bool_)
    counts = np.bincount(rows[counted] + 1, minlength=n + 1)
    counts[0] = least
    return counts[rows + 1] >= least


def clip_outliers(frame: pl.DataFrame, quantile: float) -> tuple[pl.DataFrame, int]:
    """Cut values above this quantile of their event (inside the part) down to it: winsorising."""
    import polars as pl

    limit = pl.col("value").quantile(quantile, interpolation="linear").over("event").cast(pl.Float32)
    clipped = frame.select(pl.when(pl.col("value") > limit).then(limit).otherwise(pl.col("value")))["value"]
    n_changed = int((clipped != frame["value"]).sum())
    return frame.with_columns(clipped.alias("value")), n_changed


def fill_values(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Fill missing values with the median of their event inside the part; an event without any stays missing."""
    import polars as pl

    before = frame["value"].null_count()
    filled = frame.with_columns(pl.col("value").fill_null(pl.col("value").median().over("event")).cast(pl.Float32))
    return filled, before - filled["value"].null_count()


def _keep(frame: pl.DataFrame, mask: Bool) -> pl.DataFrame:
    return frame if mask.all() else frame.filter(mask)
