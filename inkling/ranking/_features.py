"""The columns of candidates as one table, for rankers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from inkling.core.arrays import F32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.ranking.base import RankingSet


def feature_names(data: RankingSet, wanted: Sequence[str], *, name: str) -> tuple[str, ...]:
    """Return the columns that a ranker learns from: those wanted, or all, sorted.

    Raises:
        DataError: A wanted column is not there, there is none, or nothing in the labels can be learned.
    """
    missing = [column for column in wanted if column not in data.candidates.fields]
    if missing:
        raise DataError(
            f"'{name}' cannot be fitted: the candidates have no column {', '.join(missing)}.",
            hint=f"They have: {', '.join(sorted(data.candidates.fields))}.",
        )
    if not (data.labels > 0).any() or (data.labels > 0).all():
        raise DataError(
            f"'{name}' cannot be fitted: all {len(data.labels)} candidates have the same label.",
            hint="Give it candidates of which people took some and left some.",
        )
    names = tuple(wanted) or tuple(sorted(data.candidates.fields))
    if not names:
        raise DataError(f"'{name}' cannot be fitted: the candidates carry no feature.", hint="Compute features first.")
    return names


def table(items: Candidates, names: Sequence[str]) -> F32:
    """Return the columns (N, F) in the order of ``names``; a column that is not there is missing (NaN) throughout."""
    out = np.empty((len(names), len(items.item_rows)), dtype=np.float32)
    for row, name in zip(out, names, strict=True):
        column = items.fields.get(name)
        row[:] = np.nan if column is None else column
    return out.T


def people_with_both(data: RankingSet) -> I64:
    """Return the people (P,) who took some of their candidates and left others: the only ones an order learns from."""
    taken = np.bincount(data.candidates.segment_rows, data.labels > 0, len(data.candidates))
    return np.flatnonzero((taken > 0) & (taken < np.diff(data.candidates.offsets)))


def encode_names(names: Sequence[str]) -> Array:
    """Return names as an array of bytes, for a state."""
    return np.frombuffer(msgspec.json.encode(list(names)), dtype=np.uint8)


def decode_names(state: Mapping[str, Array]) -> tuple[str, ...]:
    """Return the names that :func:`encode_names` put under "names"."""
    return tuple(msgspec.json.decode(state["names"].tobytes(), type=list[str]))
