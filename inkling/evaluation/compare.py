"""Any two models of an evaluation, person by person."""

from __future__ import annotations

from inkling.core.errors import NotFoundError, nearest
from inkling.evaluation.evaluate import Evaluation, group_names, group_rows, main_group
from inkling.evaluation.trial import Trial
from inkling.protocol.intervals import Comparison, compare


def compare_models(evaluation: Evaluation, ours: str, theirs: str, *, metric: str = "", group: str = "") -> Comparison:
    """Return how much better ``ours`` is than ``theirs`` on the same people.

    Args:
        evaluation: Where both were measured.
        ours: Name of the first model.
        theirs: Name of the second model.
        metric: The evaluation's first metric where it is empty.
        group: The main group where it is empty.

    Raises:
        NotFoundError: A model, a metric or a group was not measured.
    """
    names, groups = evaluation.spec.metric_names, group_names(evaluation.folds)
    wanted, among = metric or names[0], group or main_group(groups)
    _check("metric", wanted, names)
    _check("group", among, groups)
    first, second = (_trial(evaluation, name).values(among, [wanted])[:, 0] for name in (ours, theirs))
    rows = group_rows(evaluation.folds, among)
    return compare(first, second, rows, n_resamples=evaluation.spec.n_resamples)


def _trial(evaluation: Evaluation, name: str) -> Trial:
    trials = {trial.name: trial for trial in evaluation.trials}
    _check("model", name, list(trials))
    return trials[name]


def _check(kind: str, name: str, known: tuple[str, ...] | list[str]) -> None:
    if name not in known:
        raise NotFoundError(f"The {kind} '{name}' was not measured.", hint=nearest(name, known))
