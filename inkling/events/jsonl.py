"""JSON lines: one object a line. A nested ``context`` becomes ``context.*`` columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import I64
from inkling.core.tables import CONTEXT_PREFIX
from inkling.events.source import Piece, read_blocks

if TYPE_CHECKING:
    import polars as pl

NOT_JSON = "not a JSON object"
NOT_UTF8 = "bytes that are not UTF-8"
_DECODER = msgspec.json.Decoder(dict[str, Any])


def read_jsonl(path: Path) -> Iterator[Piece]:
    """Yield the rows of a file of JSON lines; blank lines count as lines and are no rows.

    Raises:
        DataError: The file is empty, or packed and damaged.
    """
    carry, n_lines = b"", 0
    blocks = read_blocks(path)
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        text = carry + block
        stop = len(text) if following is None else text.rfind(b"\n") + 1
        lines = text[:stop].removesuffix(b"\n").split(b"\n") if stop else []
        if n_lines == 0 and lines:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        yield _piece(lines, n_lines)
        carry, n_lines, block = text[stop:], n_lines + len(lines), following


def table_of(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return objects as a table; a column whose values have several types holds them as text."""
    import polars as pl

    names: dict[str, None] = {}
    flat = [_flat(row) for row in rows]
    for row in flat:
        names.update(dict.fromkeys(row))
    return pl.DataFrame({name: _column(name, [row.get(name) for row in flat]) for name in names})


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    context = row.get("context")
    if not isinstance(context, dict):
        return row
    rest = {name: value for name, value in row.items() if name != "context"}
    return rest | {CONTEXT_PREFIX + name: value for name, value in context.items()}


def _column(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds in ({float}, {int, float}):
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {list}:
        lists = [None if value is None else [_text(part) for part in value] for value in values]
        return pl.Series(name, lists, dtype=pl.List(pl.String))
    return pl.Series(name, values if kinds <= {str} else [_text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _piece(lines: list[bytes], n_before: int) -> Piece:
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    broken: list[tuple[int, str, str]] = []
    for place, line in enumerate(lines):
        try:
            rows.append(_DECODER.decode(line))
            places.append(place)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.strip():
                broken.append((n_before + place + 1, _reason(line, error), line.decode(errors="backslashreplace")))
    numbers = np.array(places, dtype=np.int64)

    def at(positions: I64) -> I64:
        return numbers[positions] + n_before + 1

    def raw(row: int) -> str:
        return lines[places[row]].decode()

    return Piece(table_of(rows), at, raw, broken)


def _reason(line: bytes, error: Exception) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
    return NOT_JSON if isinstance(error, msgspec.ValidationError) else f"{NOT_JSON}: malformed"
