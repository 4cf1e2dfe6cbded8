"""Mean reciprocal rank: how far down the first hit stands."""

from __future__ import annotations

from inkling.core.arrays import F64
from inkling.metrics.base import Judged, ratio


def mrr(judged: Judged, k: int) -> F64:
    """Return 1 / the rank of the first hit (B,), 0 where none is among the first k."""
    hits = judged.first(k)
    if not hits.shape[1]:
        return judged.n_hits(k)
    return ratio(hits.any(axis=1).astype(float), hits.argmax(axis=1) + 1)
