"""Accuracy: the share of right decisions."""

from __future__ import annotations

from inkling.core.arrays import Array
from inkling.metrics.labels import labelled


def accuracy(scores: Array, labels: Array, *, threshold: float = 0.5) -> float:
    """Return the share of rows where ``score >= threshold`` equals the label (N,), 0 or 1."""
    scores, positive = labelled(scores, labels)
    return float(((scores >= threshold) == positive).mean())
