"""Normalised discounted cumulative gain: hits count less the lower they stand."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64
from inkling.metrics.base import Judged, ratio


def ndcg(judged: Judged, k: int) -> F64:
    """Return the discounted hits / those of a perfect list (B,), gains 0 or 1 (Jarvelin and Kekalainen 2002).

    Rank r is worth ``1 / log2(r + 1)``. The perfect list has min(k, relevant items) hits at its top.
    """
    hits = judged.first(k)
    possible = judged.n_possible(k)
    worth = 1.0 / np.log2(np.arange(2.0, max(hits.shape[1], int(possible.max(initial=0))) + 2.0))
    ideal = np.concatenate([[0.0], np.cumsum(worth)])
    gained: F64 = hits @ worth[: hits.shape[1]]
    return ratio(gained, ideal[possible])
