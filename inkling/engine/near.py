"""How near a candidate's text is to those of what a person took last: columns for a ranker, from whole vectors."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.candidates import Candidates
from inkling.core.query import Query

NAMES = ("near_last", "near_recent", "near_best")
"""Cosine with the last item, with the faded mean of the last ones, and with the nearest of them."""
_EVENTS = 5
_FADE = 0.7


def near_fields(vectors: F32, query: Query, items: Candidates, *, wanted: frozenset[str] | None = None) -> Candidates:
    """Return ``items`` with the columns of ``NAMES``; NaN where nothing is known.

    Args:
        vectors: (n, dim) of the items, of length one, or zero where there is no text.
        query: The question.
        items: Its candidates.
        wanted: Columns that will be read; without any of ``NAMES`` nothing is computed.
    """
    if not vectors.size or (wanted is not None and wanted.isdisjoint(NAMES)):
        return items
    columns = np.full((len(NAMES), len(items.item_rows)), np.nan, dtype=np.float32)
    bounds = items.offsets.tolist()
    for person in range(len(query)):
        begin, end = bounds[person], bounds[person + 1]
        last = _last(query, person, len(vectors))
        if len(last) and end > begin:
            columns[:, begin:end] = _nearness(vectors, last, items.item_rows[begin:end])
    return items.with_fields(dict(zip(NAMES, columns, strict=True)))


def _last(query: Query, person: int, n_known: int) -> I32:
    """Return the items of a person's last positive events, the newest first."""
    history = query.history
    begin, end = history.offsets[person : person + 2].tolist()
    begin = max(begin, end - 20 * _EVENTS)  # beyond that many events, views would have to drown what counts
    rows = history.item_rows[begin:end][(history.weights[begin:end] > 0)][::-1]
    return rows[(rows >= 0) & (rows < n_known)][:_EVENTS]


def _nearness(vectors: F32, last: I32, candidates: I32) -> F32:
    known = candidates < len(vectors)
    theirs = vectors[np.where(known, candidates, 0)]
    recent = vectors[last]
    cosines = recent @ theirs.T  # (events, N)
    profile = (_FADE ** np.arange(len(last), dtype=np.float32)) @ recent
    length = float(np.sqrt(profile @ profile)) or 1.0
    mean = (_FADE ** np.arange(len(last), dtype=np.float32)) @ cosines / length
    out: F32 = np.stack([cosines[0], mean, cosines.max(axis=0)]).astype(np.float32)
    out[:, ~known] = np.nan
    return out
