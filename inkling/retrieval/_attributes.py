"""Attributes of items and people as hashed words: a table of any columns becomes rows of numbers below a bound."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.arrays import I32
from inkling.core.jagged import Jagged

if TYPE_CHECKING:
    import polars as pl

# What is no attribute: keys, dates of unknown meaning, long texts and files (language vectors read those).
_SKIPPED = frozenset({"item_id", "user_id", "created_at", "description", "about", "image", "audio"})
_EDGES = 9  # numbers fall into ten buckets of equal size
_LONGEST = 24  # words of a row


def hashed(frame: pl.DataFrame, n_buckets: int) -> I32:
    """Return (rows, W) the hashed words of each row, from 1 to ``n_buckets``, padded with 0.

    Text becomes words, lists their members, numbers (a price) the tenth of the column that they lie in.
    """
    columns = [_words(frame[name]) for name in frame.columns if name not in _SKIPPED]
    rows = [_numbers(parts, n_buckets) for parts in zip(*columns, strict=True)] if columns else [[]] * frame.height
    return padded(Jagged.from_lists(rows))


def padded(lists: Jagged) -> I32:
    """Return lists (rows, W) of numbers above 0, padded with 0; at least one column."""
    lengths = np.diff(lists.offsets)
    out = np.zeros((len(lists), max(int(lengths.max(initial=0)), 1)), dtype=np.int32)
    rows = np.repeat(np.arange(len(lists)), lengths)
    out[rows, np.arange(len(lists.values)) - lists.offsets[rows]] = lists.values
    return out


def _numbers(parts: Sequence[Sequence[str]], n_buckets: int) -> list[int]:
    words = dict.fromkeys(word for part in parts for word in part)
    return [1 + zlib.crc32(word.encode()) % n_buckets for word in list(words)[:_LONGEST]]


def _words(column: pl.Series) -> list[list[str]]:
    """Return the words of each row of a column, each with the column's name."""
    name = column.name
    if column.dtype.is_numeric():
        return [[f"{name}={bucket}"] if bucket >= 0 else [] for bucket in _tenths(column)]
    return [[f"{name}={word}" for word in _parts(value)] for value in column.to_list()]


def _parts(value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, (list, tuple)):
        yield from (str(part) for part in value if part is not None)
    else:
        yield from str(value).lower().split()


def _tenths(column: pl.Series) -> list[int]:
    values = column.cast(float).to_numpy()
    told = np.isfinite(values)
    if not told.any():
        return [-1] * len(values)
    edges = np.unique(np.quantile(values[told], np.linspace(0, 1, _EDGES + 2)[1:-1]))
    buckets = np.searchsorted(edges, np.where(told, values, 0.0), side="right")
    return [int(bucket) if there else -1 for bucket, there in zip(buckets, told, strict=True)]
