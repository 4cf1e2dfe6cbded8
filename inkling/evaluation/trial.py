"""One model's turn: choose settings on validation, fit, answer everyone; for each fold and seed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from inkling.core.arrays import F64
from inkling.core.run import Run
from inkling.evaluation.contenders import Contender, Fitted, Settings
from inkling.evaluation.memory import peak_mb, reset_peak
from inkling.protocol.fold import Fold
from inkling.protocol.leaks import refuse
from inkling.protocol.measure import Latency, Result, latency, measure
from inkling.protocol.replay import ReplayFold, replay
from inkling.protocol.spec import ProtocolSpec


@dataclass(frozen=True, eq=False)
class Trial:
    """What one model answered on all folds, and what it cost."""

    name: str
    results: Mapping[int, Sequence[Result]]  # seed -> a result for each fold
    settings: Mapping[str, Settings]  # fold -> settings
    latency: Latency
    tune_s: float
    fit_s: float
    predict_s: float
    peak_mb: float

    def values(self, group: str, metrics: Sequence[str], *, seed: int | None = None) -> F64:
        """Return (N, M): everyone of a group, fold after fold; the mean over seeds, or one seed's."""
        seeds = [seed] if seed is not None else list(self.results)
        total = sum((_stacked(self.results[key], group, metrics) for key in seeds), np.zeros(1))
        return total / len(seeds)


def run_trial(contender: Contender, folds: Sequence[Fold], spec: ProtocolSpec, run: Run) -> Trial:
    """Measure one model.

    Args:
        contender: The model.
        folds: Those with the same training part share a fit, except under replay, where models change.
        spec: Metrics and seeds.
        run: Threads, clock, progress.

    Raises:
        LeakError: The model brings something along that saw events it may not know.
        ProtocolError: An answer is none to its question.
    """
    for fold in folds:
        for artefact in contender.provenance:
            refuse(artefact, fold.train, cut=fold.cut, by_time=fold.by_time)
    reset_peak()
    begin = time.perf_counter()
    settings = _choose(contender, folds, run)
    tuned = time.perf_counter() - begin
    turns = {seed: _Turn(contender, folds, settings, run.with_seed(seed)) for seed in spec.seeds}
    results = {seed: turn.answer(spec.metric_names) for seed, turn in turns.items()}
    speed = turns[spec.seeds[0]].latency
    return Trial(
        name=contender.name,
        results=results,
        settings={fold.name: settings[id(fold.train)] for fold in folds},
        latency=speed,
        tune_s=tuned,
        fit_s=fmean(turn.fit_s for turn in turns.values()),
        predict_s=fmean(sum(result.predict_s for result in some) for some in results.values()),
        peak_mb=peak_mb(),
    )


def _choose(contender: Contender, folds: Sequence[Fold], run: Run) -> dict[int, Settings]:
    chosen: dict[int, Settings] = {}
    for fold in folds:
        if id(fold.train) not in chosen:
            chosen[id(fold.train)] = contender.choose(fold, run)
    return chosen


class _Turn:
    """One seed of a trial."""

    def __init__(self, contender: Contender, folds: Sequence[Fold], settings: Mapping[int, Settings], run: Run) -> None:
        self._contender, self._folds, self._settings, self._run = contender, folds, settings, run
        self._fitted: tuple[int, Fitted] | None = None
        self._timed: Latency | None = None
        self.fit_s = 0.0

    def answer(self, metrics: Sequence[str]) -> list[Result]:
        """Fit and ask, training part by training part, so that one model is held at a time."""
        results: dict[int, Result] = {}
        order = sorted(range(len(self._folds)), key=self._first_with_same_train)
        for index in self._run.track(order, self._contender.name, total=len(order)):
            fold = self._folds[index]
            fitted = self._fit(fold)
            if isinstance(fold, ReplayFold) and fitted.observe is not None:
                results[index] = replay(fold, fitted.recommend, fitted.observe, metrics)
            else:
                results[index] = measure(fold, fitted.recommend, metrics)
            if self._timed is None and len(fold):
                self._timed = latency(fold, fitted.recommend)
        return [results[index] for index in range(len(self._folds))]

    @property
    def latency(self) -> Latency:
        """Return how long single answers of the first fold's model took."""
        return self._timed or Latency(float("nan"), float("nan"), 0)

    def _first_with_same_train(self, index: int) -> int:
        return next(i for i, fold in enumerate(self._folds) if fold.train is self._folds[index].train)

    def _fit(self, fold: Fold) -> Fitted:
        if self._fitted is not None and self._fitted[0] == id(fold.train):
            return self._fitted[1]
        self._fitted = None
        begin = time.perf_counter()
        fitted = self._contender.fit(fold.train, self._settings[id(fold.train)], self._run)
        self.fit_s += time.perf_counter() - begin
        self._fitted = (id(fold.train), fitted)
        return fitted


def _stacked(results: Sequence[Result], group: str, metrics: Sequence[str]) -> F64:
    parts = [
        np.stack([result.groups[group].values[name] for name in metrics], axis=1)
        for result in results
        if group in result.groups
    ]
    return np.concatenate(parts)
