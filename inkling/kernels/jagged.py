"""Lists of different lengths in flat arrays: segment ``b`` is ``values[offsets[b]:offsets[b + 1]]``.

Functions that choose or reorder elements return ``(offsets, positions)``: the new offsets (B + 1,) and the positions
(M,) in the old flat arrays, so that every column of a table follows with one ``column[positions]``. One segment is the
case on the request path and takes a path of its own in each function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.core.errors import ConfigError, nearest
from inkling.kernels.topk import topk

Normalisation = Literal["minmax", "max"]
_METHODS = ("minmax", "max")
# From this length on, partitioning beats sorting a whole segment.
_PARTITION = 1_024


def lengths(offsets: I64) -> I64:
    """Return the length (B,) of each segment."""
    return offsets[1:] - offsets[:-1]


def from_lengths(counts: I64 | Sequence[int]) -> I64:
    """Return the offsets (B + 1,) of segments with the given lengths (B,)."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def from_lists(lists: Iterable[Sequence[int] | Sequence[float] | Array], dtype: DTypeLike) -> tuple[I64, Array]:
    """Return offsets (B + 1,) and values (N,) of B sequences."""
    parts = [np.asarray(part, dtype=dtype) for part in lists]
    return from_lengths([len(part) for part in parts]), np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def to_lists(offsets: I64, values: Array) -> list[list[float]]:
    """Return the segments as lists of Python numbers."""
    flat, bounds = values.tolist(), offsets.tolist()
    return [flat[start:end] for start, end in pairwise(bounds)]


def segment_ids(offsets: I64) -> I64:
    """Return for each element (N,) the segment that it lies in."""
    if len(offsets) == 2:
        return np.zeros(int(offsets[1]), dtype=np.int64)
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), lengths(offsets))


def segment_sum(offsets: I64, values: Array) -> Array:
    """Return the sum (B,) of each segment, 0 for an empty one, in the type that ``numpy.sum`` would give."""
    return _reduce(np.add, offsets, values, 0)


def segment_max(offsets: I64, values: F32, *, empty: float = -np.inf) -> F32:
    """Return the largest value (B,) of each segment, ``empty`` for one without elements."""
    return _reduce(np.maximum, offsets, values, empty)


def segment_min(offsets: I64, values: F32, *, empty: float = np.inf) -> F32:
    """Return the smallest value (B,) of each segment, ``empty`` for one without elements."""
    return _reduce(np.minimum, offsets, values, empty)


def segment_argmax(offsets: I64, values: F32) -> I64:
    """Return the position (B,) in ``values`` of each segment's first largest element, -1 for an empty segment."""
    if len(offsets) == 2:
        return np.array([values.argmax() if len(values) else -1], dtype=np.int64)
    segments = segment_ids(offsets)
    hits = np.flatnonzero(values == segment_max(offsets, values)[segments])
    found = np.full(len(offsets) - 1, -1, dtype=np.int64)
    # Written backwards, the first of several equal elements is the one that stays.
    found[segments[hits[::-1]]] = hits[::-1]
    return found


def segment_order(offsets: I64, values: Array) -> I64:
    """Return the positions (N,) that sort each segment in descending order, ties by position."""
    if len(offsets) == 2:
        return np.argsort(-values, kind="stable")
    if values.dtype == np.float32 and not np.isnan(values).any():
        packed = _packed_order(offsets, _descending_keys(values), 32)
        if packed is not None:
            return packed
    return np.lexsort((-values, _small_ids(offsets)))


def segment_rank(offsets: I64, values: Array) -> I32:
    """Return the rank (N,) of each element within its segment, 0 for the largest, ties by position."""
    order = segment_order(offsets, values)
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = _places(offsets)
    return ranks


def reciprocal_ranks(offsets: I64, values: Array, *, constant: float = 60.0) -> F32:
    """Return ``1 / (constant + rank)`` (N,) with ranks from 1 (reciprocal rank fusion, Cormack et al. 2009)."""
    return (1.0 / (constant + 1.0 + segment_rank(offsets, values))).astype(np.float32)


def segment_topk(offsets: I64, values: F32, k: int) -> tuple[I64, I64]:
    """Return the k best elements of each segment, descending, ties by position; ``-inf`` and NaN are never among them.

    Args:
        offsets: (B + 1,).
        values: (N,) higher is better.
        k: At most so many from each segment; 0 or less gives none.

    Returns:
        New offsets (B + 1,) and positions (M,) in ``values``.
    """
    if len(offsets) == 2 and len(values) >= _PARTITION:
        return _one(topk(values, k)[0].astype(np.int64))
    order = segment_order(offsets, values)
    if len(offsets) == 2:
        order = order[: max(k, 0)]
        # The order ends with -inf and NaN, so a valid last element vouches for all before it.
        return _one(order if len(order) and values[order[-1]] > -np.inf else order[values[order] > -np.inf])
    return _gather(offsets, order, (_places(offsets) < k) & (values[order] > -np.inf))


def segment_unique(offsets: I64, values: Array) -> tuple[I64, I64]:
    """Return the first occurrence of each value in each segment, in the order in which they came.

    Returns:
        New offsets (B + 1,) and ascending positions (M,).
    """
    single = len(offsets) == 2
    order = np.lexsort((values,)) if single else _ascending_order(offsets, values)
    ordered = values[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    if single:
        return _one(np.sort(order[is_first]))
    starts = offsets[:-1]
    is_first[starts[starts < len(order)]] = True
    keep = np.zeros(len(order), dtype=np.bool_)
    keep[order[is_first]] = True
    return segment_filter(offsets, keep)


def segment_filter(offsets: I64, keep: Bool) -> tuple[I64, I64]:
    """Return the elements where ``keep`` (N,) is true, in the same order: new offsets (B + 1,) and positions (M,)."""
    positions = np.flatnonzero(keep)
    return (_one(positions)) if len(offsets) == 2 else (np.searchsorted(positions, offsets), positions)


def concat(parts: Sequence[tuple[I64, Array]]) -> tuple[I64, Array]:
    """Join several jagged arrays segment by segment: segment b of the answer is segment b of each part, in turn.

    Args:
        parts: Offsets (B + 1,) and values of each part; at least one.

    Returns:
        Offsets (B + 1,) and values (N,).
    """
    offsets, positions = concat_positions([offsets for offsets, _ in parts])
    flat = np.concatenate([values for _, values in parts])
    return offsets, flat if len(offsets) == 2 else flat[positions]


def concat_positions(parts: Sequence[I64]) -> tuple[I64, I64]:
    """Return how :func:`concat` orders elements: offsets (B + 1,) and positions (N,) in the parts laid end to end."""
    offsets: I64 = np.sum(parts, axis=0)
    positions = np.arange(offsets[-1])
    if len(offsets) == 2 or len(parts) == 1:
        return offsets, positions
    starts, base = offsets[:-1].copy(), 0
    gather = np.empty_like(positions)
    for part in parts:
        size, n_each = int(part[-1]), lengths(part)
        gather[positions[:size] + np.repeat(starts - part[:-1], n_each)] = positions[:size] + base
        starts += n_each
        base += size
    return offsets, gather


def take_rows(offsets: I64, rows: I32 | I64) -> tuple[I64, I64]:
    """Return the segments ``rows`` (R,), in that order and as often as named: offsets (R + 1,) and positions (M,)."""
    counts = offsets[rows + 1] - offsets[rows]
    taken = from_lengths(counts)
    return taken, np.arange(taken[-1]) + np.repeat(offsets[rows] - taken[:-1], counts)


def segment_normalise(offsets: I64, values: F32, *, method: Normalisation = "minmax") -> F32:
    """Bring the finite scores of each segment to a common range.

    Args:
        offsets: (B + 1,).
        values: (N,) finite.
        method: ``minmax`` maps onto [0, 1], a constant segment to 1; ``max`` divides by the largest magnitude, a zero
            segment stays zero.

    Returns:
        Values (N,).

    Raises:
        ConfigError: For an unknown method.
    """
    if method not in _METHODS:
        raise ConfigError(f"There is no normalisation '{method}'.", hint=nearest(method, _METHODS))
    if not len(values):
        return values.astype(np.float32)
    if method == "max":
        return _divide(values, _spread(offsets, segment_max(offsets, np.abs(values))), 0.0)
    low = _spread(offsets, segment_min(offsets, values))
    return _divide(values - low, _spread(offsets, segment_max(offsets, values)) - low, 1.0)


def _divide(values: F32, by: F32, otherwise: float) -> F32:
    if len(by) == 1:
        return values / by if by[0] > 0 else np.full(len(values), otherwise, dtype=np.float32)
    out = np.full(len(values), otherwise, dtype=np.float32)
    return np.divide(values, by, out=out, where=by > 0)


def _spread(offsets: I64, per_segment: Array) -> Array:
    """Give each element its segment's value, or keep the one value of one segment for broadcasting."""
    return per_segment if len(per_segment) == 1 else np.repeat(per_segment, lengths(offsets))


def _reduce(ufunc: np.ufunc, offsets: I64, values: Array, empty: float) -> Array:
    """Reduce by segment. ``reduceat`` gives an empty segment its neighbour's value, so empty ones are left out."""
    starts = offsets[:-1]
    if len(starts) == 1 and len(values):
        return np.asarray(ufunc.reduceat(values, starts))
    filled = starts < offsets[1:]
    reduced = ufunc.reduceat(values, starts[filled]) if filled.any() else ufunc.reduce(values[:0], initial=empty)
    out = np.full(len(starts), empty, dtype=reduced.dtype)
    out[filled] = reduced
    return out


def _places(offsets: I64) -> I64:
    """Return 0, 1, 2, ... within each segment (N,)."""
    flat = np.arange(offsets[-1])
    return flat if len(offsets) == 2 else flat - np.repeat(offsets[:-1], lengths(offsets))


def _small_ids(offsets: I64) -> Array:
    """Return segment ids in 16 bits where they fit: numpy sorts those by radix, several times faster."""
    kind = np.int16 if len(offsets) < 2**15 else np.int64
    return np.repeat(np.arange(len(offsets) - 1, dtype=kind), lengths(offsets))


def _ascending_order(offsets: I64, values: Array) -> I64:
    if values.dtype == np.int32 and values.min(initial=0) >= 0:
        n_bits = int(values.max(initial=0)).bit_length()
        packed = _packed_order(offsets, values.astype(np.int64), n_bits)
        if packed is not None:
            return packed
    return np.lexsort((values, _small_ids(offsets)))


def _packed_order(offsets: I64, keys: I64, n_bits: int) -> I64 | None:
    """Return the positions (N,) that sort each segment by keys of ``n_bits`` bits, ties by position.

    Segment, key and position share one whole number, and numbers sort several times faster than columns do. None where
    they do not fit into 63 bits.
    """
    place_bits, segment_bits = len(keys).bit_length(), (len(offsets) - 1).bit_length()
    if place_bits + n_bits + segment_bits > 63:
        return None
    packed = segment_ids(offsets) << (place_bits + n_bits)
    packed += keys << place_bits
    packed += np.arange(len(keys))
    packed.sort()
    return packed & ((1 << place_bits) - 1)


def _descending_keys(values: F32) -> I64:
    """Return whole numbers of 32 bits (N,) that ascend where the values descend."""
    # Subtracting from zero, unlike negating, never gives the negative zero that would sort apart from zero.
    bits = (np.float32(0.0) - values).view(np.int32)
    return np.asarray((bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31)


def _one(positions: I64) -> tuple[I64, I64]:
    return np.array([0, len(positions)], dtype=np.int64), positions


def _gather(offsets: I64, order: I64, keep: Bool) -> tuple[I64, I64]:
    kept, inner = segment_filter(offsets, keep)
    return kept, order[inner]
