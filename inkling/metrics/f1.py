"""F1: the harmonic mean of precision and recall."""

from __future__ import annotations

from inkling.core.arrays import F64
from inkling.metrics.base import Judged, ratio


def f1(judged: Judged, k: int) -> F64:
    """Return 2 x hits / (k + relevant items) (B,), which is the harmonic mean of precision and recall at k."""
    return ratio(2.0 * judged.n_hits(k), judged.n_relevant + k)
