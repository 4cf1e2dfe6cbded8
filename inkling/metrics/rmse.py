"""Root mean squared error of predicted values."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import Array
from inkling.metrics.labels import paired


def rmse(predicted: Array, actual: Array) -> float:
    """Return the root of the mean squared difference between two columns (N,), in their own unit."""
    predicted, actual = paired(predicted, actual)
    return float(np.sqrt(np.square(predicted - actual).mean()))
