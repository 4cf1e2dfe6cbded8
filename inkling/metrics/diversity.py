"""Diversity within a list: how unlike each other its items are."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32, F64, I32
from inkling.metrics.base import ratio


def diversity(recommended: I32, vectors: F32, k: int) -> F64:
    """Return the mean of 1 - cosine over the pairs among the first k items (B,) (Ziegler et al. 2005).

    A list with fewer than two items scores 0. A zero vector has cosine 0 with every other.

    Args:
        recommended: (B, K) item rows in rank order, padded with -1.
        vectors: (n_items, D).
        k: Places looked at.
    """
    shown = recommended[:, :k]
    valid = shown >= 0
    norms = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float64)
    unit = np.divide(vectors, norms, out=np.zeros(vectors.shape), where=norms > 0)[shown] * valid[:, :, None]
    # The cosines of all ordered pairs add up to the squared length of the sum, less each vector with itself.
    cosines = np.square(unit.sum(axis=1)).sum(axis=1) - np.square(unit).sum(axis=(1, 2))
    n_items = valid.sum(axis=1)
    n_pairs = n_items * (n_items - 1)
    # Rounding may leave a list of equal items a hair below 0.
    return np.maximum(ratio(n_pairs - cosines, n_pairs), 0.0)
