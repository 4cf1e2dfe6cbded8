"""Slates (what was shown, what was clicked, what had been read before) as events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inkling.core.errors import DataError
from inkling.core.tables import Events, Items
from inkling.events.folder import Folder
from inkling.events.read import read_table
from inkling.events.report import FileReport, LoadReport
from inkling.events.schema import DatasetInfo

if TYPE_CHECKING:
    import polars as pl

IMPRESSION, CLICK, READ = "impression", "click", "read"


def load_impressions(folder: Path, info: DatasetInfo) -> Folder:
    """Load a folder of slates.

    Each item shown becomes an ``impression``, each item clicked a ``click`` besides, each item of a person's history a
    ``read`` one second before that person's first slate (its own time is not told), which keeps the history's order.
    ``session_id`` is the slate's id.

    Raises:
        DataError: ``impressions.parquet`` lacks a column.
    """
    import polars as pl

    slates = pl.read_parquet(folder / "impressions.parquet")
    needed = ("recommendation_id", "user_id", "timestamp", "shown", "clicked", "history")
    if missing := [name for name in needed if name not in slates.columns]:
        raise DataError(f"impressions.parquet has no column {missing}.", hint=f"Expected {', '.join(needed)}.")
    slates = slates.with_columns(pl.col("timestamp") * 1000).sort("timestamp", maintain_order=True)
    frame = pl.concat([_histories(slates), _shown(slates)]).sort("timestamp", maintain_order=True)
    items = read_table(folder / "items.parquet", "items", info=info)
    files = (FileReport(file="impressions.parquet", rows=slates.height), items.report)
    report = LoadReport(files=files, rejects=tuple(items.rejects))
    return Folder(Events(frame), Items(items.frame), None, None, info, report)


def _shown(slates: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    rows = slates.explode("shown", "clicked").with_columns(
        pl.when(pl.col("clicked") > 0).then(pl.lit([IMPRESSION, CLICK])).otherwise(pl.lit([IMPRESSION])).alias("event")
    )
    return _events(rows.explode("event"), item="shown")


def _histories(slates: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    first = slates.filter(pl.col("user_id").is_first_distinct())
    rows = first.with_columns(pl.col("timestamp") - 1000, pl.lit(READ).alias("event"))
    return _events(rows.explode("history").drop_nulls("history"), item="history", session=False)


def _events(rows: pl.DataFrame, *, item: str, session: bool = True) -> pl.DataFrame:
    import polars as pl

    slate = pl.col("recommendation_id") if session else pl.lit(None, dtype=pl.String)
    return rows.select(
        "user_id",
        pl.col(item).alias("item_id"),
        "timestamp",
        "event",
        pl.lit(None, dtype=pl.Float32).alias("value"),
        slate.alias("session_id"),
    )
