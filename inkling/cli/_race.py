"""The demo's comparison: baselines in a second process while the default pipeline learns in this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from inkling.cli._aside import Aside
from inkling.core.run import Progress, Run

if TYPE_CHECKING:
    from inkling.evaluation.output import EvaluationReport
    from inkling.evaluation.trial import Trial
    from inkling.events.folder import Folder
    from inkling.protocol.fold import Fold

DATA = "online-retail"
BASELINES = ("popular", "popular-7d", "repeat", "markov", "itemknn", "ease")
SEEN = ("keep", "drop")


def race(folder: Folder, progress: Progress) -> list[EvaluationReport]:
    """Return a report with what people had kept, and one with it dropped; each by time, cut at .9."""
    side = Aside(_baselines, SEEN, progress=progress)
    try:
        ours = [_evaluate(folder, seen, ("default",), progress) for seen in SEEN]
        theirs = side.result()
    finally:
        side.stop()
    return [_joined(evaluation, trials) for evaluation, trials in zip(ours, theirs, strict=True)]


def _baselines(seen: Sequence[str], progress: Progress) -> list[Sequence[Trial]]:
    """Run all baselines, each tuned on validation; the data is read again, since processes share none."""
    from inkling import datasets

    folder = datasets.load(DATA)
    return [[_without_folds(trial) for trial in _evaluate(folder, how, BASELINES, progress).trials] for how in seen]


def _without_folds(trial: Trial) -> Trial:
    """Leave out what the other process has already, and what cannot travel: the folds build their own validation."""
    results = {seed: [replace(one, fold=cast("Fold", None)) for one in some] for seed, some in trial.results.items()}
    return replace(trial, results=results)


def _evaluate(folder: Folder, seen: str, models: tuple[str, ...], progress: Progress) -> Any:
    from inkling import scenarios
    from inkling.evaluation.folder import evaluate_folder
    from inkling.protocol.spec import ProtocolSpec

    def told(stage: str, done: int, total: int) -> None:
        progress(f"seen {seen}: {stage}", done, total)

    spec = ProtocolSpec(split="time", seen=seen, ks=(10,), metrics=("ndcg", "recall"))
    return evaluate_folder(folder, scenarios.load("retail"), spec=spec, models=models, run=Run(progress=told))


def _joined(ours: Any, theirs: Sequence[Trial]) -> EvaluationReport:
    from inkling.evaluation.evaluate import summarise

    scenario = ours.folds[0].train.scenario
    return summarise(ours.folds, [*theirs, *ours.trials], scenario, ours.spec)
