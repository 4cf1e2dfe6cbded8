"""Which settings matter: how much of the trials' values each of them explains alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from inkling.core.arrays import F64, I64
from inkling.core.space import Choice, Space
from inkling.evaluation.tuning.output import TrialReport

_LEAST_TRIALS, _BINS = 10, 4


def importances(trials: Sequence[TrialReport], space: Space) -> dict[str, float]:
    """Return each setting's share; empty with too few finished trials, or where none explains anything.

    The share is the correlation ratio of the values by the setting, cut into quarters of the trials where it is a
    number, less what chance explains (epsilon squared, Kelley 1935); shares sum to 1.
    """
    done = [trial for trial in trials if trial.state == "finished" and set(space) <= set(trial.settings)]
    values = np.array([trial.value for trial in done], dtype=np.float64)
    if len(done) < _LEAST_TRIALS or not np.ptp(values) > 0:
        return {}
    found = {
        key: _explained(values, _groups([trial.settings[key] for trial in done], words=isinstance(where, Choice)))
        for key, where in space.items()
    }
    total = sum(found.values())
    return {key: value / total for key, value in found.items()} if total > 0 and math.isfinite(total) else {}


def _groups(settings: Sequence[Any], *, words: bool) -> I64:
    """Return which group each trial is in: its word's, or its quarter's."""
    if words:
        names = [repr(value) for value in settings]
        return np.array([sorted(set(names)).index(name) for name in names], dtype=np.int64)
    numbers = np.array(settings, dtype=np.float64)
    edges = np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.searchsorted(edges, numbers, side="right").astype(np.int64)


def _explained(values: F64, groups: I64) -> float:
    present, at = np.unique(groups, return_inverse=True)
    n, n_groups = len(values), len(present)
    if n <= n_groups:
        return 0.0
    means = np.bincount(at, values) / np.bincount(at)
    inside = float(((values - means[at]) ** 2).sum())
    total = float(((values - values.mean()) ** 2).sum())
    return max(1.0 - (inside / (n - n_groups)) / (total / (n - 1)), 0.0)
