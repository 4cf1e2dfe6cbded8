"""From a data folder, or the engine's own log, to the data set that a pipeline is fitted on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.scenario import Scenario
from inkling.core.tables import CONTEXT_PREFIX, Events, Items
from inkling.events.build import build_dataset
from inkling.events.clean import clean_items, clean_part, clean_people, clean_rows
from inkling.events.folder import Folder, load_folder
from inkling.events.schema import apply_info
from inkling.stores.base import Changes

if TYPE_CHECKING:
    import polars as pl


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


def from_log(blocks: Iterable[Changes], items: list[dict[str, Any]], scenario: Scenario) -> Dataset:
    """Return what a log holds as a cleaned data set.

    Raises:
        DataError: There is no event in it.
    """
    rows = [_flat(row) for block in blocks if block.kind == "events" for row in block.rows]
    if not rows:
        raise DataError("The log holds no events yet.", hint="Observe some, or fit on a data folder.")
    events, _ = clean_rows(Events(_frame(rows)), scenario)
    events, _ = clean_part(events, scenario)
    return build_dataset(events, scenario, items=_items(items))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in row.items() if key not in ("context", "recommendation_id")}
    return flat | {CONTEXT_PREFIX + name: value for name, value in (row.get("context") or {}).items()}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    kinds = {"timestamp": pl.Int64, "value": pl.Float32}
    names = dict.fromkeys(("user_id", "item_id", "timestamp", "event", "value", *(key for row in rows for key in row)))
    schema = {name: kinds.get(name, pl.String) for name in names}
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, schema=schema)


def _items(rows: list[dict[str, Any]]) -> Items | None:
    import polars as pl

    if not rows:
        return None
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if "categories" in frame.columns and frame["categories"].dtype == pl.String:
        frame = frame.with_columns(pl.col("categories").str.split("|"))
    return Items(frame)
