"""Checks on pairs of predictions and truths."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64, Array, Bool
from inkling.core.errors import RequestError


def paired(predictions: Array, truths: Array) -> tuple[F64, F64]:
    """Return both as (N,) 64-bit floats.

    Raises:
        RequestError: Where they are empty, of different lengths, or not finite.
    """
    left, right = np.asarray(predictions, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1 or not len(left):
        raise RequestError(f"Predictions {left.shape} and truths {right.shape} are not two equally long columns.")
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        raise RequestError("Predictions or truths hold NaN or infinity.", hint="Leave those rows out before measuring.")
    return left, right


def labelled(predictions: Array, labels: Array) -> tuple[F64, Bool]:
    """Return predictions (N,) and labels (N,) as booleans.

    Raises:
        RequestError: As :func:`paired`, and where a label is neither 0 nor 1.
    """
    left, right = paired(predictions, labels)
    if not ((right == 0) | (right == 1)).all():
        raise RequestError("A label is neither 0 nor 1.", hint="Compare ratings with a threshold first.")
    return left, right == 1


def probable(probabilities: Array, labels: Array) -> tuple[F64, Bool]:
    """Return probabilities (N,) and labels (N,) as booleans.

    Raises:
        RequestError: As :func:`labelled`, and where a probability is outside [0, 1].
    """
    left, right = labelled(probabilities, labels)
    if left.min() < 0 or left.max() > 1:
        raise RequestError(f"Probabilities reach from {left.min()} to {left.max()}.", hint="Expected values in [0, 1].")
    return left, right
