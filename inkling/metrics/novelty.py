"""Novelty: how surprising it is that anyone chose the items shown."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64, I32, Array
from inkling.metrics.base import ratio


def novelty(recommended: I32, popularity: Array, k: int) -> F64:
    """Return the mean self-information in bits of the first k items (B,), 0 for an empty list (Zhou et al. 2010).

    Args:
        recommended: (B, K) item rows in rank order, padded with -1.
        popularity: (n_items,) counts. One is added to each, so that an item nobody chose is finitely surprising.
        k: Places looked at.
    """
    counts = np.asarray(popularity, dtype=np.float64) + 1.0
    information = -np.log2(counts / counts.sum())
    shown = recommended[:, :k]
    valid = shown >= 0
    return ratio((information[shown] * valid).sum(axis=1), valid.sum(axis=1))
