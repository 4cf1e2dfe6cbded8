"""When to stop a trial: the median rule of Google Vizier (Golovin et al. 2017), on one track at a time.

A trial reports along two tracks: what a training measures of itself, epoch by epoch, and the metric pooled over the
validation folds so far. Numbers of one track are compared with each other only.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.study import Study
    from optuna.trial import FrozenTrial

FOLDS_FROM = 1_000_000
"""Steps from here on are validation folds; earlier ones are those of a training."""
N_OTHERS = 4
"""A trial is judged once so many others have come as far."""
FIRST_EPOCH = 3
"""No training is stopped before this epoch."""


class MedianByTrack(BasePruner):
    """Stops a trial whose best value so far is below the median of what others had reached at the same step."""

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Tell whether to stop ``trial`` after its last report."""
        step = trial.last_step
        if step is None or step < FIRST_EPOCH:
            return False
        others = [
            best(other.intermediate_values, step)
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
            if other.number != trial.number and reaches(other.intermediate_values, step)
        ]
        return len(others) >= N_OTHERS and best(trial.intermediate_values, step) < median(others)


def best(values: Mapping[int, float], step: int) -> float:
    """Return what a curve had reached at a step: of a training its best, of folds the pooled value there."""
    if step >= FOLDS_FROM:
        return values[step]
    return max(value for at, value in values.items() if at <= step)


def reaches(values: Mapping[int, float], step: int) -> bool:
    """Tell whether a curve has a value at the step (folds), or one that is as late or later (training)."""
    if step >= FOLDS_FROM:
        return step in values
    return any(step <= at < FOLDS_FROM for at in values)
