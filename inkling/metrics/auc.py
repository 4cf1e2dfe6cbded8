"""Area under the ROC curve: how often a positive scores above a negative."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import Array
from inkling.metrics.labels import labelled


def auc(scores: Array, labels: Array) -> float:
    """Return the share of (positive, negative) pairs that are in order, a tie counting half (Hanley and McNeil 1982).

    Args:
        scores: (N,) higher means more likely positive.
        labels: (N,) 0 or 1.

    Returns:
        A value in [0, 1], or NaN where all labels are equal and no pair exists.
    """
    scores, positive = labelled(scores, labels)
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # Equal scores share the mean of the ranks that they take up.
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = mean_ranks[place][positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))
