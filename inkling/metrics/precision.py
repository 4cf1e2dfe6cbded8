"""Precision: the share of the k places that hold a relevant item."""

from __future__ import annotations

from inkling.core.arrays import F64
from inkling.metrics.base import Judged


def precision(judged: Judged, k: int) -> F64:
    """Return hits among the first k / k (B,). A list shorter than k is divided by k all the same."""
    return judged.n_hits(k) / k
