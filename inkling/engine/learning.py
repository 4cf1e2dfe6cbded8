"""From a data folder, or the engine's own log, to the data set that a pipeline is fitted on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.dataset import Dataset
from inkling.core.errors import DataError, RequestError
from inkling.core.scenario import Scenario
from inkling.core.tables import CONTEXT_PREFIX, Events, Items, People
from inkling.events.build import build_dataset
from inkling.events.clean import clean_items, clean_part, clean_people, clean_rows
from inkling.events.folder import Folder, load_folder
from inkling.events.schema import apply_info
from inkling.privacy.consent import Consent, may
from inkling.stores.base import Changes
from inkling.stores.moments import moment_ms

if TYPE_CHECKING:
    import polars as pl

KEPT = "profile_edits"
"""Attribute of people and items that holds, as JSON, the fields of a profile that somebody wrote."""


def prepare(data: str | Path | Folder, scenario: Scenario) -> tuple[Dataset, Scenario]:
    """Return a data folder as a cleaned data set, and the scenario as the folder's ``dataset.toml`` changes it.

    Raises:
        DataError: The folder cannot be read, or no event is left after cleaning.
    """
    folder = data if isinstance(data, Folder) else load_folder(data)
    scenario = apply_info(scenario, folder.info)
    events, _ = clean_rows(folder.events, scenario)
    events, _ = clean_part(events, scenario)
    if len(events) == 0:
        raise DataError(
            f"No event is left of {len(folder.events)} after cleaning.",
            hint="See the counts of `inkling doctor`, and the switches under [cleaning].",
        )
    items = None if folder.items is None else clean_items(folder.items, scenario)[0]
    people = None if folder.users is None else clean_people(folder.users, scenario)[0]
    return build_dataset(events, scenario, items=items, people=people, links=folder.links), scenario


def from_log(
    blocks: Iterable[Changes], items: list[dict[str, Any]], people: list[dict[str, Any]], scenario: Scenario
) -> Dataset:
    """Return what a log holds as a cleaned data set, without the events whose use was forbidden when they came.

    Raises:
        DataError: There is no event in it.
    """
    rows, owners = events_of(blocks)
    if not rows:
        raise DataError("The log holds no events yet.", hint="Observe some, or fit on a data folder.")
    for row in rows:
        if "user_id" not in row and row.get("session_id") in owners:
            row["user_id"] = owners[row["session_id"]]
    events, _ = clean_rows(Events(frame_of(rows)), scenario)
    events, _ = clean_part(events, scenario)
    return build_dataset(events, scenario, items=items_table(items), people=people_table(people))


def events_of(blocks: Iterable[Changes], *, since: int = 0) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the events after a version that may be used, and whose each merged session is.

    A choice of what may be used acts from its own place, so all blocks from the log's beginning are looked at.
    """
    consent = Consent()
    rows: list[dict[str, Any]] = []
    owners: dict[str, str] = {}
    for block in blocks:
        if block.kind == "merge":
            owners |= {row["session_id"]: row["user_id"] for row in block.rows}
        for row in block.rows if block.kind == "events" else ():
            consent = consent.after(row)
            if block.version > since and may(row, "use", consent):
                rows.append(_flat(row))
    return rows, owners


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in row.items() if key not in ("context", "recommendation_id")}
    return flat | {CONTEXT_PREFIX + name: value for name, value in (row.get("context") or {}).items()}


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return flat rows as a table of events."""
    import polars as pl

    kinds = {"timestamp": pl.Int64, "value": pl.Float32}
    names = dict.fromkeys(("user_id", "item_id", "timestamp", "event", "value", *(key for row in rows for key in row)))
    schema = {name: kinds.get(name, pl.String) for name in names}
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, schema=schema)


def people_table(rows: list[dict[str, Any]]) -> People | None:
    """Return people that came one by one as a table; None where there are none."""
    return People(_table([_without_edits(row) for row in rows])) if rows else None


def _without_edits(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was written into a profile: it is shown, and nothing to learn from."""
    return {name: value for name, value in row.items() if name != KEPT}


def items_table(rows: list[dict[str, Any]]) -> Items | None:
    """Return items that came one by one as a table; None where there are none."""
    import polars as pl

    if not rows:
        return None
    frame = _table([{**_without_edits(row), "created_at": _moment(row.get("created_at"))} for row in rows])
    frame = frame.with_columns(pl.col("created_at").cast(pl.Int64))
    if "categories" in frame.columns and frame["categories"].dtype == pl.String:
        frame = frame.with_columns(pl.col("categories").str.split("|"))
    return Items(frame)


def _moment(value: Any) -> int | None:
    """Return epoch milliseconds; None, as for an item that was always there, where nothing can be read."""
    try:
        return None if value is None else moment_ms(value, field="created_at")
    except RequestError:
        return None


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows that came one by one as a table; where their types differ, texts or lists of texts hold them all."""
    import polars as pl

    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])


def _column(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if kinds & {list, tuple}:
        lists = [[str(each) for each in value] if isinstance(value, (list, tuple)) else value for value in values]
        full = [value if value is None or isinstance(value, list) else [str(value)] for value in lists]
        return pl.Series(name, full, dtype=pl.List(pl.String))
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
