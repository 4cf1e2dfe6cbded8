"""Files to typed tables: every row becomes a row of the table or a reject, and none stops the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.core.errors import DataError
from inkling.core.run import Progress
from inkling.core.scenario import Time
from inkling.events.report import FileReport, Reject, count_reasons
from inkling.events.schema import TABLES, DatasetInfo, Kind, Table, renames
from inkling.events.source import Piece, format_of
from inkling.events.timestamps import TimeReader
from inkling.events.typed import Typed, stack, type_piece

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Loaded:
    """One typed table and what reading it did."""

    frame: pl.DataFrame
    report: FileReport
    rejects: list[Reject]
    time: Time | None = None
    guesses: list[str] = field(default_factory=list)


def read_table(path: Path, kind: Kind, *, info: DatasetInfo | None = None, progress: Progress | None = None) -> Loaded:
    """Read one file as events, items, users or links.

    Args:
        path: A csv, tsv, jsonl, parquet or RecBole file, plain, .gz or .zst.
        kind: Which table the file holds.
        info: Renames, the delimiter and the meaning of times; nothing stated where it is left out.
        progress: Called as ``progress(file name, rows so far, 0)``.

    Raises:
        DataError: A column is missing, the file is empty or damaged, or not one row could be read.
    """
    info = info or DatasetInfo()
    table = TABLES[kind]
    times = {name: TimeReader(_stated_time(kind, info), where=f"{path.name}, {name}") for name in table.times}
    frames: list[pl.DataFrame] = []
    rejects: list[Reject] = []
    ignored: dict[str, None] = {}
    n_rows = 0
    for piece in pieces(path, info):
        typed = _typed(piece, path, kind, info=info, times=times, first_row=n_rows)
        frames.append(typed.frame)
        rejects += _rejects(path, piece, typed)
        ignored |= dict.fromkeys(typed.ignored)
        n_rows += piece.frame.height
        if progress is not None:
            progress(path.name, n_rows, 0)
    _need_rows(path, frames, rejects)
    frame = stack(frames)
    frames.clear()
    loaded = Loaded(frame, FileReport(file=path.name, rows=frame.height), rejects)
    for name, reader in times.items():
        _finish_times(loaded, name, reader, kind)
    n_duplicates = _unique_ids(loaded, table, kind)
    loaded.report = FileReport(
        file=path.name,
        rows=loaded.frame.height,
        rejected=len(rejects),
        reasons=count_reasons(rejects),
        duplicate_ids=n_duplicates,
        ignored_columns=tuple(ignored),
    )
    return loaded


def pieces(path: Path, info: DatasetInfo) -> Iterator[Piece]:
    """Yield a file's rows as they came, by the reader of its format."""
    form = format_of(path)
    if form == "parquet":
        from inkling.events.columnar import read_parquet

        return read_parquet(path)
    if form == "jsonl":
        from inkling.events.jsonl import read_jsonl

        return read_jsonl(path)
    if form == "atomic":
        from inkling.events.recbole import read_atomic

        return read_atomic(path)
    from inkling.events.delimited import read_delimited

    return read_delimited(path, delimiter="\t" if form == "tsv" else info.delimiter or ",")


def _typed(
    piece: Piece, path: Path, kind: Kind, *, info: DatasetInfo, times: dict[str, TimeReader], first_row: int
) -> Typed:
    frame = piece.frame.rename(dict(renames(piece.frame.columns, info)))
    check_columns(frame.columns, path, kind, info)
    return type_piece(frame, kind, times, first_row=first_row)


def check_columns(columns: list[str], path: Path, kind: Kind, info: DatasetInfo) -> None:
    """Raise a DataError where a required column is missing, and say which ones there are."""
    required = list(TABLES[kind].required)
    if kind == "events" and info.time not in ("order", "none"):
        required.append("timestamp")
    missing = [name for name in required if name not in columns]
    if missing:
        raise DataError(
            f"{path.name} has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, columns[:20]))}.",
            hint=_missing_hint(missing),
        )


def _missing_hint(missing: list[str]) -> str:
    rename = f'Rename it in the file, or in dataset.toml: [columns] "your name" = "{missing[0]}".'
    times = ' Data without times says so in dataset.toml: time = "none", or "order" where the rows are in order.'
    return rename + (times if "timestamp" in missing else "")


def _rejects(path: Path, piece: Piece, typed: Typed) -> list[Reject]:
    broken = [Reject(path.name, line, reason, raw) for line, reason, raw in piece.broken]
    rows = typed.bad_rows
    lines = piece.lines(rows).tolist() if len(rows) else []
    found = zip(lines, rows.tolist(), typed.reasons, strict=True)
    bad = [Reject(path.name, line, reason, piece.raw(row)) for line, row, reason in found]
    return sorted(broken + bad, key=lambda reject: reject.line) if broken and bad else broken + bad


def _need_rows(path: Path, frames: list[pl.DataFrame], rejects: list[Reject]) -> None:
    if any(frame.height for frame in frames):
        return
    if rejects:
        raise DataError(
            f"{path.name}: not one of {len(rejects):,} rows could be read; line {rejects[0].line}: "
            f"{rejects[0].reason}: {rejects[0].raw[:80]!r}.",
            hint="Check the file's format, its delimiter and its encoding (UTF-8).",
        )
    raise DataError(f"{path.name} is empty: it has no rows.", hint="Expected at least one row; export it again.")


def _stated_time(kind: Kind, info: DatasetInfo) -> Time | None:
    return info.time if kind == "events" else "real"


def _finish_times(loaded: Loaded, name: str, reader: TimeReader, kind: Kind) -> None:
    import polars as pl

    time, divisor, guess = reader.finish()
    if divisor > 1:
        loaded.frame = loaded.frame.with_columns(pl.col(name) // divisor)
    if kind == "events":
        loaded.time = time
        loaded.guesses += [guess] if guess else []


def _unique_ids(loaded: Loaded, table: Table, kind: Kind) -> int:
    """Keep the last row of each id in items and users; return how many rows that left out."""
    if kind not in ("items", "users"):
        return 0
    before = loaded.frame.height
    loaded.frame = loaded.frame.unique(subset=table.required[0], keep="last", maintain_order=True)
    return before - loaded.frame.height
