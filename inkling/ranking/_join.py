"""Several ranking sets as one: the windows that a ranker learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inkling.core.arrays import I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.query import joined as joined_queries
from inkling.ranking.base import RankingSet


def joined(sets: Sequence[RankingSet]) -> RankingSet:
    """Return the people of several sets as one set.

    Columns, labels and weights that one set lacks are left out of all, but for positions, which are -1 there.

    Raises:
        DataError: There is no set.
    """
    if not sets:
        raise DataError("No ranking sets to join.", hint="Name at least one.")
    if len(sets) == 1:
        return sets[0]
    weights = [one.weights for one in sets if one.weights is not None]
    return RankingSet(
        joined_queries([one.query for one in sets]),
        _candidates([one.candidates for one in sets]),
        np.concatenate([one.labels for one in sets]),
        np.concatenate(weights) if len(weights) == len(sets) else None,
        {name: np.concatenate([one.further[name] for one in sets]) for name in _shared([one.further for one in sets])},
        _positions(sets),
    )


def _shared(columns: Sequence[Mapping[str, object]]) -> list[str]:
    return [name for name in columns[0] if all(name in other for other in columns)]


def _stacked(parts: Sequence[I64]) -> I64:
    """Return the offsets of segments that follow each other."""
    return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(one) for one in parts]))]).astype(np.int64)


def _positions(sets: Sequence[RankingSet]) -> I32 | None:
    if all(one.positions is None for one in sets):
        return None
    unknown = [np.full(len(one.labels), -1, dtype=np.int32) for one in sets]
    each = [none if one.positions is None else one.positions for one, none in zip(sets, unknown, strict=True)]
    return np.concatenate(each)


def _candidates(parts: Sequence[Candidates]) -> Candidates:
    fields: dict[str, Array] = {
        name: np.concatenate([one.fields[name] for one in parts]) for name in _shared([one.fields for one in parts])
    }
    return Candidates(
        _stacked([one.offsets for one in parts]),
        np.concatenate([one.item_rows for one in parts]),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.sources for one in parts]),
        parts[0].source_names,
        fields,
    )
