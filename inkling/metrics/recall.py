"""Recall: the share of the relevant items that are among the first k."""

from __future__ import annotations

from inkling.core.arrays import F64
from inkling.metrics.base import Judged, ratio


def recall(judged: Judged, k: int) -> F64:
    """Return hits among the first k / relevant items (B,)."""
    return ratio(judged.n_hits(k), judged.n_relevant)
