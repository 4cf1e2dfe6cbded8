"""Strings to dense numbers, in the order of first sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I32
from inkling.core.vocabulary import Vocabulary

if TYPE_CHECKING:
    import polars as pl


def vocabulary_rows(column: pl.Series, vocabulary: Vocabulary) -> I32:
    """Return the row (N,) of each id, handing out new rows where needed; -1 where the cell is missing."""
    import polars as pl

    if len(column) == 0:
        return np.empty(0, dtype=np.int32)
    ids = column.unique(maintain_order=True).drop_nulls()
    table = pl.DataFrame({"id": ids, "row": vocabulary.add_all(ids.to_list())})
    joined = column.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(-1).to_numpy().astype(np.int32, copy=False)


def codes(column: pl.Series) -> tuple[I32, int]:
    """Return a number (N,) for each distinct text, and how many there are; -1 where the cell is missing."""
    vocabulary = Vocabulary()
    rows = vocabulary_rows(column, vocabulary)
    return rows, len(vocabulary)


def named_codes(column: pl.Series, names: list[str]) -> I32:
    """Return the position (N,) in ``names`` of each text; -1 where it is none of them."""
    import polars as pl

    table = pl.DataFrame(
        {"id": names, "row": np.arange(len(names), dtype=np.int32)}, schema_overrides={"id": pl.String}
    )
    joined = column.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(-1).to_numpy().astype(np.int32, copy=False)
