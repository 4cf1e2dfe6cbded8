"""Columns as they came to columns of the contract, with the rows in which a cell does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I64
from inkling.core.tables import CONTEXT_PREFIX
from inkling.events.schema import DEFAULT_EVENT, TABLES, Kind, Table
from inkling.events.timestamps import TimeReader

if TYPE_CHECKING:
    import polars as pl

NO_IDS = "neither user_id nor item_id"
LIST_MARK = "|"


@dataclass(frozen=True, slots=True)
class Typed:
    """The good rows, typed, and the positions (in what came) of the bad ones with their reasons."""

    frame: pl.DataFrame
    bad_rows: I64
    reasons: list[str]
    ignored: tuple[str, ...]


def type_piece(frame: pl.DataFrame, kind: Kind, times: dict[str, TimeReader], *, first_row: int) -> Typed:
    """Return the table's columns in their types; ``first_row`` is the position of the first row in the file."""
    import polars as pl

    table = TABLES[kind]
    columns: dict[str, pl.Series] = {}
    bad: dict[str, pl.Series] = {}
    ignored: list[str] = []
    for name in frame.columns:
        column = frame[name]
        if name in times:
            columns[name], why = times[name].parse(column)
            bad |= why if kind == "events" else {}
        elif name in table.numbers:
            columns[name], unreadable = to_number(column)
            bad[f"{name} is no number"] = unreadable
        elif name in table.lists:
            columns[name] = to_list(column)
        elif name in table.texts:
            columns[name] = to_text(column)
        elif kind != "events" or name.startswith(CONTEXT_PREFIX):
            columns[name] = to_attribute(column)
        else:
            ignored.append(name)
    _complete(columns, kind, frame.height, first_row)
    bad |= _missing_ids(columns, table, kind)
    ordered = pl.DataFrame({name: columns[name] for name in _order(columns, kind)})
    return _split(ordered, bad, tuple(ignored))


def stack(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return tables under each other; where an attribute's types differ beyond numbers, it becomes String."""
    import polars as pl

    if len(frames) == 1:
        return frames[0]
    kinds: dict[str, list[pl.DataType]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, []).append(kind)
    texts = [name for name, seen in kinds.items() if not _agree(seen)]
    frames = [frame.with_columns(pl.col(set(texts) & set(frame.columns)).cast(pl.String)) for frame in frames]
    return pl.concat(frames, how="diagonal_relaxed")


def _agree(kinds: list[pl.DataType]) -> bool:
    import polars as pl

    known = [kind for kind in kinds if kind != pl.Null]
    return len(set(known)) <= 1 or all(kind.is_numeric() for kind in known)


def to_text(column: pl.Series) -> pl.Series:
    """Return a column as String; an empty cell is missing."""
    import polars as pl

    text = column if column.dtype == pl.String else column.cast(pl.String, strict=False)
    empty = text == ""
    return text.set(empty, None) if empty.any() else text


def to_number(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return a column as Float32 and a mask of the cells that hold something else than a finite number."""
    import polars as pl

    if column.dtype.is_float() and column.dtype != pl.Float32:
        numbers = column.cast(pl.Float32)
    else:
        numbers = column.cast(pl.Float32, strict=False)
    if column.dtype == pl.String and numbers.null_count() and (stripped := column.str.strip_chars()) is not None:
        numbers = stripped.cast(pl.Float32, strict=False)
        empty = (stripped == "") | column.is_null()
    else:
        empty = column.is_null()
    if numbers.is_finite().all():
        return numbers, numbers.is_null() & ~empty
    infinite = numbers.is_infinite().fill_null(value=False)
    not_a_number = numbers.is_nan().fill_null(value=False)
    unreadable = (numbers.is_null() & ~empty) | infinite
    return numbers.set(infinite | not_a_number, None), unreadable


def to_list(column: pl.Series) -> pl.Series:
    """Return a column as lists of String; a text is split at "|"."""
    import polars as pl

    if isinstance(column.dtype, (pl.List, pl.Array)):
        return column.cast(pl.List(pl.String))
    text = to_text(column)
    return text.str.split(LIST_MARK).list.eval(pl.element().str.strip_chars().filter(pl.element() != ""))


def to_attribute(column: pl.Series) -> pl.Series:
    """Return any other column: texts with empty cells missing, everything else as it is."""
    import polars as pl

    return to_text(column) if column.dtype in (pl.String, pl.Categorical) else column


def _complete(columns: dict[str, pl.Series], kind: Kind, n: int, first_row: int) -> None:
    """Add what an events table always has and this file does not."""
    import polars as pl

    if kind == "links":
        weight = columns.get("weight")
        ones = pl.Series([1.0], dtype=pl.Float32).new_from_index(0, n)
        columns["weight"] = ones if weight is None else weight.fill_null(1.0)
    if kind != "events":
        return
    event = columns.get("event")
    default = pl.Series([DEFAULT_EVENT]).new_from_index(0, n)
    columns["event"] = default if event is None else event.fill_null(DEFAULT_EVENT) if event.null_count() else event
    if "value" not in columns:
        columns["value"] = pl.Series([None], dtype=pl.Float32).new_from_index(0, n)
    if "timestamp" not in columns:
        columns["timestamp"] = pl.Series(np.arange(first_row, first_row + n, dtype=np.int64))


def _missing_ids(columns: dict[str, pl.Series], table: Table, kind: Kind) -> dict[str, pl.Series]:
    if kind == "events":
        return {NO_IDS: columns["user_id"].is_null() & columns["item_id"].is_null()}
    return {f"no {name}": columns[name].is_null() for name in table.required}


def _order(columns: dict[str, pl.Series], kind: Kind) -> list[str]:
    if kind != "events":
        return list(columns)
    first = ["user_id", "item_id", "timestamp", "event", "value"]
    return first + [name for name in columns if name not in first]


def _split(frame: pl.DataFrame, bad: dict[str, pl.Series], ignored: tuple[str, ...]) -> Typed:
    """Part the good rows from the bad; a row that is bad twice has its first reason."""
    why: dict[int, str] = {}
    for reason, mask in bad.items():
        if mask.any():
            for row in mask.arg_true().to_list():
                why.setdefault(row, reason)
    rows = np.array(sorted(why), dtype=np.int64)
    if len(rows):
        keep = np.ones(frame.height, dtype=np.bool_)
        keep[rows] = False
        frame = frame.filter(keep)
    return Typed(frame, rows, [why[row] for row in rows.tolist()], ignored)
