"""Mean average precision: precision at each hit, averaged."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64
from inkling.metrics.base import Judged, ratio


def average_precision(judged: Judged, k: int) -> F64:
    """Return the sum over hits of the precision at their rank / min(k, relevant items) (B,).

    The denominator is that of a perfect list of k items, so that 1 can be reached where more than k are relevant. Some
    libraries (ranx, trec_eval) divide by the number of relevant items instead; the two agree where that is at most k.
    """
    hits = judged.first(k)
    precisions = np.cumsum(hits, axis=1) / np.arange(1.0, hits.shape[1] + 1.0)
    return ratio((precisions * hits).sum(axis=1), judged.n_possible(k))
