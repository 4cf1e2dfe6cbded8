"""The demo's comparison: baselines in a second process while the default pipeline learns in this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from inkling.cli._aside import Aside
from inkling.core.run import Progress, Run

if TYPE_CHECKING:
    from inkling.evaluation.contenders import Contender
    from inkling.evaluation.output import EvaluationReport
    from inkling.evaluation.trial import Trial
    from inkling.events.folder import Folder
    from inkling.protocol.fold import Fold

DATA = "online-retail"
BASELINES: dict[str, tuple[dict[str, Any], ...]] = {
    "popular": (),
    "popular-7d": (),
    "repeat": (
        {"half_life_days": 180.0, "repeats": "session", "popularity": 1.0},
        {"half_life_days": 0.0, "repeats": "session", "popularity": 0.3},
    ),
    "markov": ({"last": 5, "backwards": 0.5, "popularity": 0.5, "basket": 0.5},),
    "itemknn": (
        {"weighting": "bm25", "own": 1.0, "half_life_days": 60.0},
        {"weighting": "bm25", "own": 0.0, "half_life_days": 60.0},
    ),
    "ease": ({"l2": 100.0, "half_life_days": 60.0}, {"l2": 300.0, "half_life_days": 60.0}),
}
"""Baseline -> those of the settings of ``inkling evaluate`` that won there on validation, with what people had kept or
dropped; the demo chooses among these on validation. None: all of them."""
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
    models = [_baseline(name) for name in BASELINES]
    return [[_without_folds(trial) for trial in _evaluate(folder, how, models, progress).trials] for how in seen]


def _baseline(name: str) -> Contender:
    from inkling.evaluation import models

    found = models.BASELINES[name]
    return replace(found, grid=BASELINES[name] or found.grid)


def _without_folds(trial: Trial) -> Trial:
    """Leave out what the other process has already, and what cannot travel: the folds build their own validation."""
    results = {seed: [replace(one, fold=cast("Fold", None)) for one in some] for seed, some in trial.results.items()}
    return replace(trial, results=results)


def _evaluate(folder: Folder, seen: str, models: Sequence[str | Contender], progress: Progress) -> Any:
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
