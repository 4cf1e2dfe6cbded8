"""From scores of the whole catalogue to the best k within a query's limits: the one way for every scoring retriever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from inkling.core.arrays import F32, I32, I64, Bool
from inkling.core.candidates import Candidates
from inkling.core.errors import RequestError
from inkling.core.query import Query
from inkling.kernels.topk import topk

# Cells of a score matrix held at once: 64 MiB of float32.
_BLOCK_CELLS = 16_777_216
_NEVER = np.float32(-np.inf)


class DenseScorer(Protocol):
    """What :func:`retrieve` needs of a model."""

    name: str

    def scores(self, query: Query) -> F32:
        """Return (B, query.n_items)."""


def retrieve(model: DenseScorer, query: Query, k: int, *, fill: bool = False) -> Candidates:
    """Return each person's best k items under the query's ``allowed``, ``candidates`` and ``exclude``.

    Args:
        model: Scores the whole catalogue; 0 is no signal. Where it has a method ``nearest``, that is asked first for
            lists of (rows, scores); it returns None where all must be scanned.
        query: B people.
        k: At most so many for each person; 0 or less gives none.
        fill: Items without a signal may be answered too, after all others.
    """
    quick = getattr(model, "nearest", None)
    if quick is not None and not fill and (near := quick(query, k)) is not None:
        return gather(near, source=model.name)
    parts = [
        best_row(row, query, person, k, fill=fill)
        for block in _blocks(query)
        for person, row in zip(block, _scores(model, query, block), strict=True)
    ]
    return gather(parts, source=model.name)


def gather(parts: list[tuple[I32, F32]], *, source: str) -> Candidates:
    """Return one list of rows and scores for each person as candidates of one source."""
    if len(parts) == 1:
        rows, scores = parts[0]
        return Candidates.of(np.array([0, len(rows)], dtype=np.int64), rows, scores, source=source)
    if not parts:
        return Candidates.empty(0, source=source)
    offsets = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(rows) for rows, _ in parts], out=offsets[1:])
    return Candidates.of(
        offsets, np.concatenate([rows for rows, _ in parts]), np.concatenate([s for _, s in parts]), source=source
    )


def best_row(scores: F32, query: Query, person: int, k: int, *, fill: bool) -> tuple[I32, F32]:
    """Return the best k rows and their scores out of one person's scores (n_items,)."""
    if query.candidates is not None:
        return _best_of(np.unique(query.candidates[person]), scores, query, person, k, fill=fill)
    mask: Bool | None = None if fill else scores != 0
    if query.allowed is not None:
        mask = query.allowed if mask is None else mask & query.allowed
    excluded = _excluded(query, person)
    if len(excluded):
        mask = np.ones(len(scores), dtype=np.bool_) if mask is None else mask.copy() if fill else mask
        mask[excluded] = False
    return topk(scores, k, mask=mask)


def _best_of(rows: I32, scores: F32, query: Query, person: int, k: int, *, fill: bool) -> tuple[I32, F32]:
    """Look at a person's own candidates only."""
    rows = rows[(rows >= 0) & (rows < len(scores))]
    if query.allowed is not None:
        rows = rows[query.allowed[rows]]
    excluded = _excluded(query, person)
    if len(excluded):
        rows = rows[~np.isin(rows, excluded)]
    own = scores[rows]
    found, best = topk(own, k, mask=None if fill else own != 0)
    return rows[found], best


def _excluded(query: Query, person: int) -> I32:
    if query.exclude is None:
        return np.empty(0, dtype=np.int32)
    rows = query.exclude[person]
    return rows[(rows >= 0) & (rows < query.n_items)]


def _blocks(query: Query) -> Iterator[range]:
    size = max(_BLOCK_CELLS // max(query.n_items, 1), 1)
    for start in range(0, len(query), size):
        yield range(start, min(start + size, len(query)))


def _scores(model: DenseScorer, query: Query, block: range) -> F32:
    part = query if len(block) == len(query) else query.take(block)
    scores = model.scores(part)
    if scores.shape != (len(block), query.n_items):
        raise RequestError(
            f"{model.name} returned scores of shape {scores.shape}, expected {(len(block), query.n_items)}."
        )
    return scores


def same_rows(rows: I32 | I64, n_items: int) -> I32:
    """Return ``rows`` as int32 where they lie in a catalogue of ``n_items``, the others as -1."""
    return np.where((rows >= 0) & (rows < n_items), rows, -1).astype(np.int32)
