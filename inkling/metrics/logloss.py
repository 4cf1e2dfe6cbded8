"""Logarithmic loss of predicted probabilities."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import Array
from inkling.metrics.labels import probable


def logloss(probabilities: Array, labels: Array) -> float:
    """Return the mean of ``-log(probability of what happened)`` in nats; 0 is perfect.

    Args:
        probabilities: (N,) in [0, 1]; kept a rounding error away from 0 and 1, so that the loss is finite.
        labels: (N,) 0 or 1.
    """
    probabilities, positive = probable(probabilities, labels)
    eps = np.finfo(np.float64).eps
    likely = np.clip(probabilities, eps, 1.0 - eps)
    return float(-np.where(positive, np.log(likely), np.log1p(-likely)).mean())
