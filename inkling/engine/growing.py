"""What a bundle was fitted on, and what the log brought since, as one data set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Scenario
from inkling.core.tables import CONTEXT_PREFIX, Events
from inkling.engine.bundle import ERASED, Bundle
from inkling.engine.learning import events_of, frame_of, items_table, people_table
from inkling.engine.live import LiveViews
from inkling.events.build import build_dataset
from inkling.events.clean import clean_part, clean_rows
from inkling.stores.base import ChangeLog, Version

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Grown:
    """A data set that holds a log up to a version."""

    data: Dataset
    version: Version
    since_ms: int
    """Time of the newest event that the bundle knew; what is younger came from the log."""
    n_new: int
    """Events that the log brought."""


def grown(
    bundle: Bundle, log: ChangeLog, views: LiveViews, scenario: Scenario, *, until: Version | None = None
) -> Grown:
    """Return everything that is known by now, in the rows of ``views``; cleaning is that of the scenario.

    Args:
        bundle: What was fitted before.
        log: The log.
        views: Views that reflect the log at least up to ``until``.
        scenario: What the business wants.
        until: The version to grow to; the log's own where it is left out.
    """
    until = log.version if until is None else until
    since = bundle.reflects(log)
    rows, owners = events_of(takewhile(lambda block: block.version <= until, log.scan()), since=since)
    for row in rows:
        if "user_id" not in row and row.get("session_id") in owners:
            row["user_id"] = owners[row["session_id"]]
    frames = [_old_frame(bundle.base)] if len(bundle.base.interactions) else []
    if rows:
        frames.append(clean_rows(Events(frame_of(rows)), scenario)[0].frame)
    data = _built(frames, views, scenario, bundle)
    return Grown(data, until, bundle.base.until, len(rows))


def _built(frames: list[pl.DataFrame], views: LiveViews, scenario: Scenario, bundle: Bundle) -> Dataset:
    import polars as pl

    frame = pl.concat(frames, how="diagonal_relaxed") if frames else frame_of([])
    events, _ = clean_part(Events(frame), scenario)
    items, people = views.catalog.rows(), views.people_rows()
    return build_dataset(
        events,
        scenario,
        items=items_table(items),
        people=people_table(people),
        links=bundle.base.links,
        user_ids=views.user_ids.copy(),
        item_ids=views.item_ids.copy(),
    )


def _old_frame(base: Dataset) -> pl.DataFrame:
    """Return the events of a data set as a table of raw ids, as they were read once."""
    import polars as pl

    events = base.interactions
    users = np.array(base.user_ids.ids(), dtype=object)[events.user_rows]
    columns: dict[str, Any] = {
        "user_id": pl.Series(users.tolist(), dtype=pl.String),
        "item_id": pl.Series(base.item_ids.ids(events.item_rows), dtype=pl.String),
        "timestamp": pl.Series(events.ts, dtype=pl.Int64),
        "event": pl.Series([events.event_names[code] for code in events.events.tolist()], dtype=pl.String),
        "value": pl.Series(events.values, dtype=pl.Float32).fill_nan(None),
        "session_id": pl.Series([f"\x1f{row}" if row >= 0 else None for row in events.session_rows.tolist()]),
    }
    columns |= {CONTEXT_PREFIX + name: _context(events, name) for name in events.context}
    frame = pl.DataFrame(columns).with_columns(pl.col("session_id").cast(pl.String))
    return frame.filter(~pl.col("user_id").str.starts_with(ERASED))


def _context(events: Interactions, name: str) -> pl.Series:
    import polars as pl

    values = events.context_values[name]
    return pl.Series([values[code] if code >= 0 else None for code in events.context[name].tolist()], dtype=pl.String)
