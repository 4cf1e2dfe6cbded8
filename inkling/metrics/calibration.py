"""Calibration: do probabilities mean what they say, and does a list keep a person's proportions?"""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64, I32, Array
from inkling.metrics.base import ratio
from inkling.metrics.labels import probable


def calibration(probabilities: Array, labels: Array, *, n_bins: int = 10) -> float:
    """Return the expected calibration error in [0, 1]; 0 is perfect (Naeini et al. 2015).

    Probabilities fall into ``n_bins`` bins of equal width; the distance between the mean probability and the share of
    positives of each bin is averaged, weighted by the bin's size.

    Args:
        probabilities: (N,) in [0, 1].
        labels: (N,) 0 or 1.
        n_bins: Number of bins.
    """
    probabilities, positive = probable(probabilities, labels)
    bins = np.minimum((probabilities * n_bins).astype(np.int64), n_bins - 1)
    said = np.bincount(bins, weights=probabilities, minlength=n_bins)
    happened = np.bincount(bins, weights=positive, minlength=n_bins)
    return float(np.abs(said - happened).sum() / len(bins))


def category_shares(item_rows: I32, categories: Array) -> F64:
    """Return the share (B, C) of each category in lists of items; zeros for an empty list.

    Args:
        item_rows: (B, K) padded with -1.
        categories: (n_items, C) membership of items in categories, each row adding up to 1 or 0.
    """
    valid = item_rows >= 0
    sums: F64 = (np.asarray(categories, dtype=np.float64)[item_rows] * valid[:, :, None]).sum(axis=1)
    totals = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0))


def category_calibration(chosen: F64, shown: F64, *, alpha: float = 0.01) -> F64:
    """Return the divergence in nats of what is shown from what was chosen (B,); 0 is perfect (Steck 2018).

    Args:
        chosen: (B, C) shares of categories in each person's history.
        shown: (B, C) shares in each person's list, mixed with ``alpha`` of the history so that the value is finite.
        alpha: The weight of the history in that mixture.
    """
    mixed = (1.0 - alpha) * shown + alpha * chosen
    quotient = ratio(chosen.reshape(-1), mixed.reshape(-1)).reshape(chosen.shape)
    return np.asarray((chosen * np.log(np.where(quotient > 0, quotient, 1.0))).sum(axis=1))
