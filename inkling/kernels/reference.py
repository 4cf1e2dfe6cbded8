"""Slow, obvious twins of the kernels in plain Python, one element at a time, for tests and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Row = Sequence[float]
Vector = Sequence[float]


def topk(scores: Row, k: int, mask: Sequence[bool] | None = None) -> list[int]:
    """Return the rows of the k best scores, descending, ties by lower row, without ``-inf`` and NaN."""
    allowed = [row for row, score in enumerate(scores) if score > -math.inf and (mask is None or mask[row])]
    return sorted(allowed, key=lambda row: (-scores[row], row))[: max(k, 0)]


def normalize_row(x: Vector) -> list[float]:
    """Return ``x`` scaled to length one, or zeros."""
    norm = math.sqrt(sum(value * value for value in x))
    return [value / norm if norm else 0.0 for value in x]


def dot(a: Vector, b: Vector) -> float:
    """Return the inner product."""
    return sum(left * right for left, right in zip(a, b, strict=True))


def cosine(a: Vector, b: Vector) -> float:
    """Return the cosine, 0 where a vector is zero."""
    return dot(normalize_row(a), normalize_row(b))


def euclidean(a: Vector, b: Vector) -> float:
    """Return the Euclidean distance."""
    return math.sqrt(sum((left - right) ** 2 for left, right in zip(a, b, strict=True)))


def quantize_int8(x: Vector) -> tuple[list[int], float]:
    """Return the codes and the scale of one row."""
    scale = max((abs(value) for value in x), default=0.0) / 127.0
    return [round(value / scale) if scale else 0 for value in x], scale


def hamming(a: Vector, b: Vector) -> int:
    """Return in how many places the signs (above zero or not) of two vectors differ."""
    return sum((left > 0) != (right > 0) for left, right in zip(a, b, strict=True))


def segments(offsets: Sequence[int], values: Row) -> list[Row]:
    """Return the segments as lists."""
    return [values[start:end] for start, end in pairwise(offsets)]


def segment_sum(offsets: Sequence[int], values: Row) -> list[float]:
    """Return the sum of each segment."""
    return [sum(segment) for segment in segments(offsets, values)]


def segment_max(offsets: Sequence[int], values: Row) -> list[float]:
    """Return the largest value of each segment, ``-inf`` for an empty one."""
    return [max(segment, default=-math.inf) for segment in segments(offsets, values)]


def segment_argmax(offsets: Sequence[int], values: Row) -> list[int]:
    """Return the flat position of each segment's first largest value, -1 for an empty one."""
    tops = [topk(segment, 1) for segment in segments(offsets, values)]
    return [start + top[0] if top else -1 for start, top in zip(offsets[:-1], tops, strict=True)]


def segment_rank(offsets: Sequence[int], values: Row) -> list[int]:
    """Return each element's rank in its segment: how many are larger, or equal and before it."""
    ranks: list[int] = []
    for segment in segments(offsets, values):
        for place, value in enumerate(segment):
            ranks.append(sum(o > value or (o == value and p < place) for p, o in enumerate(segment)))
    return ranks


def segment_topk(offsets: Sequence[int], values: Row, k: int) -> list[list[int]]:
    """Return the flat positions of the k best of each segment."""
    tops = [topk(segment, k) for segment in segments(offsets, values)]
    return [[start + row for row in top] for start, top in zip(offsets[:-1], tops, strict=True)]


def segment_unique(offsets: Sequence[int], values: Row) -> list[list[int]]:
    """Return the flat positions of the first occurrence of each value of each segment."""
    firsts: list[list[int]] = []
    for start, segment in zip(offsets[:-1], segments(offsets, values), strict=True):
        firsts.append([start + place for place, value in enumerate(segment) if value not in segment[:place]])
    return firsts


def segment_minmax(offsets: Sequence[int], values: Row) -> list[float]:
    """Return each segment mapped onto [0, 1], a constant one to 1."""
    out: list[float] = []
    for segment in segments(offsets, values):
        low, high = min(segment, default=0.0), max(segment, default=0.0)
        out.extend((value - low) / (high - low) if high > low else 1.0 for value in segment)
    return out


def tree_leaf(tree: dict[str, list[float]], x: Vector) -> int:
    """Walk one tree from its root to a leaf.

    Args:
        tree: Columns ``feature``, ``threshold``, ``left``, ``right`` (a child below 0 is leaf ``-child - 1``) and
            ``nan_left``, one entry for each inner node.
        x: Features of one example.
    """
    node = 0 if tree["feature"] else -1
    while node >= 0:
        value = x[int(tree["feature"][node])]
        goes_left = bool(tree["nan_left"][node]) if math.isnan(value) else value <= tree["threshold"][node]
        node = int(tree["left" if goes_left else "right"][node])
    return -node - 1


def score_trees(trees: Sequence[dict[str, list[float]]], x: Vector) -> float:
    """Return the sum over trees of the value of the leaf that ``x`` falls into."""
    return sum(tree["leaf_value"][tree_leaf(tree, x)] for tree in trees)
