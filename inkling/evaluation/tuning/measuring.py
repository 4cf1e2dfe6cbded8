"""What a trial is worth: the model, fitted on each validation fold's training part, asked about that fold's people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inkling.core.arrays import F64
from inkling.core.errors import ProtocolError
from inkling.core.run import Run
from inkling.evaluation.contenders import Settings
from inkling.evaluation.tuning.models import Searched
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.measure import measure
from inkling.protocol.replay import ReplayFold, replay

Reached = Callable[[int, float], None]
"""Told the number of a fold and the metric pooled over all folds up to it; may raise to end the trial."""


def validation_folds(folds: Sequence[Fold], n_people: int, run: Run) -> list[Fold]:
    """Return the validation parts of a split, each with at most ``n_people``; nothing of the test parts is kept.

    Raises:
        ProtocolError: No training part is large enough to carry a validation part.
    """
    found = [fold.validation for fold in folds]
    kept = [sampled(fold, n_people, run.rng("tune", fold.name)) for fold in found if fold is not None and len(fold)]
    if not kept:
        raise ProtocolError("There is no validation part to search on.", hint="Use more data, or earlier --cuts.")
    return kept


def worth(
    model: Searched, changes: Settings, folds: Sequence[Fold], run: Run, *, metric: str, reached: Reached
) -> float:
    """Return the metric pooled over the people of all validation folds.

    Args:
        model: What is fitted, anew for each fold.
        changes: Settings that differ from the model's own.
        folds: Validation folds.
        run: Its ``watch`` sees what a training measures.
        metric: Such as ``ndcg@10``.
        reached: Told after each fold.
    """
    values: list[F64] = []
    for number, fold in enumerate(folds):
        values.append(_asked(model, changes, fold, run, metric))
        reached(number, float(np.concatenate(values).mean()))
    return float(np.concatenate(values).mean())


def _asked(model: Searched, changes: Settings, fold: Fold, run: Run, metric: str) -> F64:
    fitted = model.fit(fold.train, changes, run)
    if isinstance(fold, ReplayFold) and fitted.observe is not None:
        result = replay(fold, fitted.recommend, fitted.observe, (metric,))
    else:
        result = measure(fold, fitted.recommend, (metric,))
    group = "warm" if "warm" in result.groups and len(result.groups["warm"]) else next(iter(result.groups))
    return result.groups[group].values[metric]
