"""The demo's comparison, on two cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast

from inkling.cli._aside import Aside
from inkling.core.run import Progress, Run

if TYPE_CHECKING:
    from inkling.evaluation.contenders import Contender
    from inkling.evaluation.evaluate import Evaluation
    from inkling.evaluation.output import EvaluationReport
    from inkling.evaluation.trial import Trial
    from inkling.events.folder import Folder
    from inkling.protocol.fold import Fold

DATA, DEFAULT = "online-retail", "default"
BASELINES: dict[str, tuple[dict[str, Any], ...]] = {
    "popular": (),
    "popular-7d": (),
    "repeat": (
        {"half_life_days": 180.0, "repeats": "session", "popularity": 1.0},
        {"half_life_days": 0.0, "repeats": "session", "popularity": 0.3},
    ),
    "markov": ({"basket": 0.5},),
    "itemknn": (
        {"weighting": "cosine", "own": 10.0, "repeats": "session"},
        {"weighting": "cosine", "own": 10.0, "repeats": "session", "half_life_days": 60.0},
    ),
    "ease": (
        {"l2": 300.0, "signal": "log", "own": 0.3, "repeats": "session", "fit_half_life_days": 60.0},
        {"l2": 1000.0, "signal": "log", "own": 0.3, "repeats": "session", "half_life_days": 180.0},
    ),
}
"""Baseline -> those settings of ``inkling evaluate`` that won there on validation; the demo chooses among them on
validation. None: all of them."""


class Race:
    """A comparison on two cores: by time, cut at .9, where what people had may be recommended again.

    The second process measures all baselines; this one fits and measures the pipeline, and is then free for other work
    until ``reports``.
    """

    def __init__(self, progress: Progress) -> None:
        """Start the second process."""
        self._progress = progress
        self._aside = Aside(_others, progress=progress)
        self._ours: Evaluation | None = None
        self.pipeline: Any = None
        """The pipeline as it was fitted on what came before the cut."""

    def run(self, folder: Folder) -> None:
        """Measure this process's share."""
        from inkling import scenarios
        from inkling.evaluation.contenders import PipelineContender

        def keep(pipeline: Any) -> None:
            self.pipeline = pipeline

        scenario = scenarios.load("retail")
        settings = {**scenario.settings, "deep_minutes": 0.0}  # two minutes in all, whether torch is there or not
        ours = PipelineContender(DEFAULT, scenario.pipeline, settings, on_fit=keep)
        self._ours = _evaluate(folder, (ours,), self._progress)

    def reports(self) -> list[EvaluationReport]:
        """Return the report, once the second process is done."""
        from inkling.evaluation.evaluate import summarise

        others = self._aside.result()
        if self._ours is None:
            return []
        ours, scenario = self._ours, self._ours.folds[0].train.scenario
        return [summarise(ours.folds, [*others, *ours.trials], scenario, ours.spec)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._aside.stop()


def _others(progress: Progress) -> list[Trial]:
    """Measure what the second process has to; the data is read again, since processes share none."""
    from inkling import datasets

    kept = _evaluate(datasets.load(DATA), [_baseline(name) for name in BASELINES], progress)
    return [_without_folds(trial) for trial in kept.trials]


def _baseline(name: str) -> Contender:
    from inkling.evaluation import models

    found = models.BASELINES[name]
    return replace(found, grid=BASELINES[name] or found.grid)


def _without_folds(trial: Trial) -> Trial:
    """Leave out what the other process has already, and what cannot travel: the folds build their own validation."""
    results = {seed: [replace(one, fold=cast("Fold", None)) for one in some] for seed, some in trial.results.items()}
    return replace(trial, results=results)


def _evaluate(folder: Folder, models: Sequence[str | Contender], progress: Progress) -> Evaluation:
    from inkling import scenarios
    from inkling.evaluation.folder import evaluate_folder
    from inkling.protocol.spec import ProtocolSpec

    spec = ProtocolSpec(split="time", seen="keep", ks=(10,), metrics=("ndcg", "recall"))
    return evaluate_folder(folder, scenarios.load("retail"), spec=spec, models=models, run=Run(progress=progress))
