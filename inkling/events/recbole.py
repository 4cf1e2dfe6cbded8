"""RecBole's atomic files (``.inter .item .user .net``): tab-separated, each column's type in the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.core.errors import DataError
from inkling.core.tables import CONTEXT_PREFIX
from inkling.events.delimited import read_delimited
from inkling.events.schema import TABLES, Kind
from inkling.events.source import ATOMIC, Piece

if TYPE_CHECKING:
    import polars as pl

TYPES = ("token", "token_seq", "float", "float_seq")
_RENAMES: dict[Kind, dict[str, str]] = {
    "events": {"rating": "value", "review": "text", "review_text": "text"},
    "items": {
        "movie_title": "title", "item_name": "title", "name": "title", "genre": "categories", "class": "categories",
        "category": "categories", "genres": "categories",
    },
    "users": {},
    "links": {"source_id": "user_id", "target_id": "friend_id"},
}  # fmt: skip


def kind_of(path: Path) -> Kind:
    """Return which table an atomic file holds, by its ending."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    kind: Kind = ATOMIC[name.rsplit(".", 1)[-1]]  # type: ignore[assignment]
    return kind


def read_atomic(path: Path) -> Iterator[Piece]:
    """Yield the rows of an atomic file under our own column names.

    ``rating`` becomes ``value``, ``genre``, ``class`` and ``category`` become ``categories``, the ends of a ``.net``
    file ``user_id`` and ``friend_id``; other columns of interactions become ``context.*``. Quotes mean nothing here.

    Raises:
        DataError: A column of the header has no type, or an unknown one.
    """
    kind = kind_of(path)
    for piece in read_delimited(path, delimiter="\t", quoted=False):
        yield replace(piece, frame=_convert(piece.frame, kind, path))


def _convert(frame: pl.DataFrame, kind: Kind, path: Path) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    for header in frame.columns:
        name, _, form = header.partition(":")
        if form not in TYPES:
            raise DataError(
                f"{path.name}: column {header!r} has no type.", hint=f"Expected name:type, with {', '.join(TYPES)}."
            )
        ours = _name(name, kind)
        columns[ours if ours not in columns else name] = _values(frame[header], form, as_text=ours in _text_names(kind))
    import polars as pl

    return pl.DataFrame(columns)


def _name(name: str, kind: Kind) -> str:
    ours = _RENAMES[kind].get(name, name)
    table = TABLES[kind]
    known = {*table.required, *table.texts, *table.numbers, *table.times}
    return CONTEXT_PREFIX + ours if kind == "events" and ours not in known else ours


def _text_names(kind: Kind) -> tuple[str, ...]:
    return TABLES[kind].texts


def _values(column: pl.Series, form: str, *, as_text: bool) -> pl.Series:
    """Return sequences as lists and attributes of numbers as such; what is no number stays as it is written."""
    import polars as pl

    if as_text or form == "token":
        return column
    if form.endswith("_seq"):
        return column.str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    numbers = column.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == column.null_count() else column
