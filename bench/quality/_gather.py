"""From what was kept to a report: means over seeds, intervals, paired differences, prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from bench.quality._results import Result
from bench.quality._tasks import DEFAULT
from inkling.evaluation.evaluate import main_group
from inkling.evaluation.output import EvaluationReport, GroupReport, LatencyReport, MetricValue, ModelReport, Paired
from inkling.protocol.intervals import Comparison, Interval, compare, intervals

HEADLINE = "ndcg@10"


@dataclass(frozen=True)
class Measured:
    """A model on a task, all seeds together."""

    name: str
    results: Sequence[Result]

    @property
    def metrics(self) -> list[str]:
        """Return the names of what was measured."""
        return list(self.results[0].about["metrics"])

    @property
    def groups(self) -> list[str]:
        """Return the groups that have somebody in them."""
        return list(self.results[0].values)

    def rows(self, group: str = "") -> Any:
        """Return the people (N,) of a group; the main one where it is empty."""
        return self.results[0].values[group or main_group(self.groups)][0]

    def values(self, metric: str, group: str = "") -> Any:
        """Return the mean over seeds (N,) of a metric of each person."""
        place = self.metrics.index(metric)
        return np.mean([one.values[group or main_group(self.groups)][1][:, place] for one in self.results], axis=0)

    def mean(self, metric: str) -> float:
        """Return the mean over people of the main group."""
        return float(self.values(metric).mean())

    def price(self, name: str) -> float:
        """Return the mean over seeds of a number, NaN where nobody told it."""
        told = [float(one.about[name]) for one in self.results if one.about.get(name) is not None]
        return fmean(told) if told else float("nan")

    def peak_mb(self) -> float:
        """Return the most memory that any of the seeds took."""
        return max(float(one.about["peak_mb"]) for one in self.results)


def gathered(results: Sequence[Result]) -> dict[str, Measured]:
    """Return the models by name, in the order of first sight."""
    names = dict.fromkeys(str(one.about["model"]) for one in results)
    return {name: Measured(name, [one for one in results if one.about["model"] == name]) for name in names}


def against(ours: Measured, theirs: Measured, metric: str = HEADLINE, *, resamples: int = 1000) -> Comparison:
    """Return how much better the first model is, person by person.

    Raises:
        ValueError: They were not measured on the same people.
    """
    rows = ours.rows()
    if not np.array_equal(rows, theirs.rows()):
        raise ValueError(f"{ours.name} and {theirs.name} were not measured on the same people; measure one again.")
    return compare(ours.values(metric), theirs.values(metric), rows, n_resamples=resamples)


def report(models: Mapping[str, Measured], *, resamples: int = 1000) -> EvaluationReport:
    """Return the report of ``inkling evaluate`` on what was kept of a task."""
    paired, first = _paired(models, resamples), next(iter(models.values()))
    groups = {group: _group(models, group, resamples) for group in first.groups}
    made = tuple(
        _model(model, {group: found[name] for group, found in groups.items()}, paired.get(name))
        for name, model in models.items()
    )
    return EvaluationReport(first.results[0].about["protocol"], made)


def beside(models: Mapping[str, Measured]) -> dict[str, dict[str, Any]]:
    """Return what the report of an evaluation has no place for: whose model it is, its epochs, its refit."""
    return {
        name: {
            "kind": model.results[0].about["kind"],
            "refit": model.results[0].about["refit"],
            "epochs": _known(model.price("epochs")),
            "s_per_epoch": _known(model.price("s_per_epoch")),
            "when": model.results[0].about["machine"]["when"],
            "load": model.results[0].about["machine"]["load_average"][0],
        }
        for name, model in models.items()
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _paired(models: Mapping[str, Measured], resamples: int) -> dict[str, Paired]:
    if DEFAULT not in models:
        return {}
    out = {}
    for name, model in models.items():
        if name != DEFAULT:
            found = against(models[DEFAULT], model, resamples=resamples)
            gap, times = found.difference, found.ratio
            out[name] = Paired(
                DEFAULT, HEADLINE, gap.mean, gap.low, gap.high, times.mean, times.low, times.high, found.share
            )
    return out


def _model(model: Measured, groups: dict[str, GroupReport], paired: Paired | None) -> ModelReport:
    about = model.results[0].about
    speeds = [one.about["latency_ms"] for one in model.results]
    return ModelReport(
        name=model.name,
        seeds=tuple(int(one.about["seed"]) for one in model.results),
        groups=groups,
        metrics=groups[main_group(model.groups)].metrics,
        latency_ms=LatencyReport(fmean(s["p50"] for s in speeds), fmean(s["p99"] for s in speeds)),
        fit_s=model.price("fit_s"),
        predict_s=model.price("predict_s"),
        peak_mb=model.peak_mb(),
        tune_s=float(about["tune_s"]),
        settings=about["settings"],
        paired=paired,
    )


def _group(models: Mapping[str, Measured], group: str, resamples: int) -> dict[str, GroupReport]:
    """Return what a group got from each model; people are drawn once for all of them."""
    columns = [model.values(metric, group) for model in models.values() for metric in model.metrics]
    rows = next(iter(models.values())).rows(group)
    ranges = iter(intervals(np.stack(columns, axis=1), rows, n_resamples=resamples))
    return {name: _numbers(model, group, len(rows), ranges) for name, model in models.items()}


def _numbers(model: Measured, group: str, n: int, ranges: Iterator[Interval]) -> GroupReport:
    spread = _spread(model, group)
    found = {}
    for place, metric in enumerate(model.metrics):
        one = next(ranges)
        found[metric] = MetricValue(one.mean, one.low, one.high, None if spread is None else float(spread[place]))
    return GroupReport(n=n, metrics=found)


def _spread(model: Measured, group: str) -> Any:
    """Return the standard deviation (M,) of the means over seeds; None with one seed."""
    if len(model.results) < 2:
        return None
    return np.std([one.values[group][1].mean(axis=0) for one in model.results], axis=0, ddof=1)
