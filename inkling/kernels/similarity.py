"""Likeness of vectors: whole matrices for a few, the nearest k in blocks for many."""

from __future__ import annotations

from typing import Literal

import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.errors import ConfigError
from inkling.core.errors import nearest as nearest_spelling
from inkling.kernels.topk import topk_rows

Measure = Literal["dot", "cosine", "euclidean"]


def normalize_rows(x: F32) -> F32:
    """Return rows (N, D) of length one; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
    return np.asarray(np.divide(x, norms, out=np.zeros(x.shape, dtype=np.float32), where=norms > 0))


def dot(a: F32, b: F32) -> F32:
    """Return the inner products (A, B) of rows (A, D) and (B, D)."""
    return np.asarray(a @ b.T, dtype=np.float32)


def cosine(a: F32, b: F32) -> F32:
    """Return the cosines (A, B) of rows (A, D) and (B, D); 0 where a row is zero."""
    return dot(normalize_rows(a), normalize_rows(b))


def euclidean(a: F32, b: F32) -> F32:
    """Return the Euclidean distances (A, B) of rows (A, D) and (B, D)."""
    squared = _squares(a)[:, None] + _squares(b)[None, :] - 2.0 * dot(a, b)
    return np.sqrt(np.maximum(squared, 0.0, dtype=np.float32))


def nearest(
    queries: F32, items: F32, k: int, *, measure: Measure = "cosine", block_rows: int = 65_536
) -> tuple[I32, F32]:
    """Return the k items most like each query, exactly, without holding the whole matrix.

    Args:
        queries: (Q, D).
        items: (N, D).
        k: Width of the answer.
        measure: ``dot``, ``cosine`` or ``euclidean`` (whose score is the negative distance).
        block_rows: Items compared at once: bounds the memory at Q x ``block_rows`` scores.

    Returns:
        Item rows (Q, k) padded with -1 and scores (Q, k) padded with ``-inf``, best first, ties by lower row.

    Raises:
        ConfigError: For an unknown measure.
    """
    if measure not in _SCORERS:
        raise ConfigError(f"There is no similarity measure '{measure}'.", hint=nearest_spelling(measure, _SCORERS))
    if measure == "cosine":
        queries = normalize_rows(queries)
    score = _SCORERS[measure]
    rows, best = topk_rows(score(queries, items[:block_rows]), k)
    for start in range(block_rows, len(items), block_rows):
        more, more_scores = topk_rows(score(queries, items[start : start + block_rows]), k)
        more = np.where(more >= 0, more + np.int32(start), more)
        rows, best = _merge(np.hstack([rows, more]), np.hstack([best, more_scores]), k)
    return rows, best


def _merge(rows: I32, scores: F32, k: int) -> tuple[I32, F32]:
    """Keep the k best of two adjoining answers; the earlier block comes first, so ties stay with the lower row."""
    columns, best = topk_rows(scores, k)
    return np.where(columns >= 0, np.take_along_axis(rows, columns, axis=1), np.int32(-1)), best


def _squares(x: F32) -> F32:
    return np.asarray(np.einsum("ij,ij->i", x, x), dtype=np.float32)


def _cosine_of_unit(queries: F32, items: F32) -> F32:
    return dot(queries, normalize_rows(items))


def _closeness(queries: F32, items: F32) -> F32:
    return -euclidean(queries, items)


_SCORERS = {"dot": dot, "cosine": _cosine_of_unit, "euclidean": _closeness}
