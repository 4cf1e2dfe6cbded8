"""The k best of a row of scores: descending, the lower row first among equals, never a row whose score is ``-inf``."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32, I32, I64, Bool

# Below this length, sorting the whole row costs less than partitioning it first.
_SORT_ALL = 128
# Above this length, a lower bound from block maxima leaves few rows for the partition to look at.
_BOUND_FIRST = 1_024
# Blocks for each answer wanted: the more, the fewer rows pass the bound.
_BLOCKS_EACH = 4
_NEVER = np.float32(-np.inf)


def topk(scores: F32, k: int, *, mask: Bool | None = None) -> tuple[I32, F32]:
    """Return the k best rows and their scores.

    Args:
        scores: (N,) higher is better. ``-inf`` and NaN entries are never returned.
        k: At most so many are returned; 0 or less gives none, more than N gives all.
        mask: (N,) true where a row may be returned; None allows all.

    Returns:
        Rows (m,) int32 and scores (m,), m <= k, descending, ties by lower row.
    """
    if mask is not None:
        scores = np.where(mask, scores, _NEVER)
    k = min(k, len(scores))
    if k <= 0:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=scores.dtype)
    if len(scores) <= _SORT_ALL:
        return _head(np.argsort(-scores, kind="stable")[:k], scores)
    candidates = _above_block_bound(scores, k) if len(scores) > _BOUND_FIRST else None
    if candidates is None:
        return _select(scores, k)
    # Every candidate is at least the bound, hence a number; ascending rows keep ties in order.
    inner, best = topk(scores[candidates], k)
    return candidates[inner].astype(np.int32), best


def topk_rows(scores: F32, k: int, *, mask: Bool | None = None) -> tuple[I32, F32]:
    """Return the k best columns of each row, as :func:`topk` would for each row alone.

    Args:
        scores: (B, N) higher is better.
        k: Width of the answer.
        mask: (B, N) or (N,) true where a column may be returned; None allows all.

    Returns:
        Columns (B, k) int32 padded with -1, and scores (B, k) padded with ``-inf``.
    """
    k = max(k, 0)
    rows = np.full((len(scores), k), -1, dtype=np.int32)
    best = np.full((len(scores), k), -np.inf, dtype=scores.dtype)
    if mask is not None:
        scores = np.where(mask, scores, _NEVER)
    if scores.shape[1] <= _SORT_ALL:
        _fill_by_sorting(scores, rows, best)
        return rows, best
    for index, row in enumerate(scores):
        found, values = topk(row, k)
        rows[index, : len(found)] = found
        best[index, : len(found)] = values
    return rows, best


def _fill_by_sorting(scores: F32, rows: I32, best: F32) -> None:
    width = min(rows.shape[1], scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    values = np.take_along_axis(scores, order, axis=1)
    # Written so that NaN, which compares false with everything, is left out as well.
    valid = values > _NEVER
    rows[:, :width] = np.where(valid, order, -1)
    best[:, :width] = np.where(valid, values, _NEVER)


def _head(order: I64, scores: F32) -> tuple[I32, F32]:
    best = scores[order]
    if best[-1] > _NEVER:
        return order.astype(np.int32), best
    valid = best > _NEVER
    return order[valid].astype(np.int32), best[valid]


def _select(scores: F32, k: int) -> tuple[I32, F32]:
    """Return the exact k best of an unmasked row: all above the k-th value, then its first ties."""
    top = np.partition(scores, len(scores) - k)[-k:]
    if np.isnan(top).any():
        return _select(np.where(np.isnan(scores), _NEVER, scores), k)
    kth = top[0]
    above = np.flatnonzero(scores > kth)
    ties = np.flatnonzero(scores == kth)[: k - len(above)]
    above = above[np.argsort(-scores[above], kind="stable")]
    return _head(np.concatenate([above, ties]), scores)


def _above_block_bound(scores: F32, k: int) -> I64 | None:
    """Return ascending rows that include the k best, or None where the bound does not narrow the search.

    A block's maximum is itself a score, so the k-th largest of the maxima is at most the k-th largest score.
    """
    n_blocks = max(len(scores) // 64, _BLOCKS_EACH * k)
    if 2 * n_blocks > len(scores):
        return None
    usable = len(scores) // n_blocks * n_blocks
    maxima = scores[:usable].reshape(-1, n_blocks).max(axis=0)
    bound = np.partition(maxima, n_blocks - k)[n_blocks - k]
    if not bound > _NEVER:
        return None
    rows = np.flatnonzero(scores >= bound)
    return rows if k <= len(rows) < len(scores) // 2 else None
