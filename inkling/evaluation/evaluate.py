"""Compare models under one protocol: split once, fit inside the split, ask everyone, say how sure the numbers are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inkling.core.arrays import I32
from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Events
from inkling.evaluation.contenders import Baseline, Contender
from inkling.evaluation.models import DEFAULT, contender, default_names
from inkling.evaluation.output import EvaluationReport, GroupReport, LatencyReport, MetricValue, ModelReport, Paired
from inkling.evaluation.trial import Trial, run_trial
from inkling.protocol.fingerprint import fingerprint
from inkling.protocol.fold import Fold
from inkling.protocol.intervals import Interval, compare, intervals
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec, describe, resolve
from inkling.protocol.splits import split


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out: the report, and the answers behind it for dumps and further comparisons."""

    report: EvaluationReport
    spec: ProtocolSpec
    folds: Sequence[Fold]
    trials: Sequence[Trial]


def evaluate(
    events: Events,
    scenario: Scenario,
    tables: Tables,
    *,
    spec: ProtocolSpec | None = None,
    models: Sequence[str | Contender] = (),
    run: Run | None = None,
    minutes: float = 0.0,
) -> Evaluation:
    """Compare models.

    Args:
        events: Cleaned by the row rules.
        scenario: What counts; also names the pipeline ``default``.
        tables: Catalogue, people, links.
        spec: How to measure; the default follows the scenario.
        models: Names or contenders; the default is all baselines and the scenario's pipeline.
        run: Threads, clock, progress.
        minutes: Limit of one fit of a pipeline; 0 is none.

    Raises:
        ProtocolError: The data cannot carry the measurement, or a model's answer is none to its question.
        LeakError: A model saw what it may not know.
        ConfigError: A model does not exist, or is named twice.
    """
    resolved = resolve(spec or ProtocolSpec(), scenario)
    chosen = models or default_names(resolved.split)
    contenders = [contender(m, scenario, minutes=minutes) if isinstance(m, str) else m for m in chosen]
    _check_names([model.name for model in contenders])
    folds = split(events, scenario, tables, resolved)
    surroundings = run or Run()
    if any(isinstance(model, Baseline) for model in contenders):
        # Built here, so that the first model to be tuned is not charged for what all share.
        _ = [fold.validation for fold in folds]
    trials = [run_trial(model, folds, resolved, surroundings) for model in contenders]
    return Evaluation(summarise(folds, trials, scenario, resolved), resolved, folds, trials)


def summarise(
    folds: Sequence[Fold], trials: Sequence[Trial], scenario: Scenario, spec: ProtocolSpec
) -> EvaluationReport:
    """Return the report on trials that were run on the same folds."""
    groups = group_names(folds)
    table = {group: _group_reports(folds, trials, group, spec) for group in groups}
    main = main_group(groups)
    paired = _paired(folds, trials, main, spec)
    reports = tuple(_model_report(trial, {g: table[g][trial.name] for g in groups}, main, paired) for trial in trials)
    return EvaluationReport(protocol_of(folds, scenario, spec), reports)


def protocol_of(folds: Sequence[Fold], scenario: Scenario, spec: ProtocolSpec) -> dict[str, Any]:
    """Return the protocol with both fingerprints; ``fingerprint`` hashes everything beside them."""
    said: dict[str, Any] = {
        **describe(spec),
        "positive": scenario.positive,
        "positive_value": scenario.positive_value,
        "parts": [_facts(fold) for fold in folds],
    }
    return {**said, "fingerprint": fingerprint(said, folds), "train_fingerprint": _train_fingerprint(folds)}


def group_names(folds: Sequence[Fold]) -> list[str]:
    """Return the groups that have somebody in them, in the order of first sight."""
    return list(dict.fromkeys(name for fold in folds for name, group in fold.groups.items() if len(group.people)))


def main_group(groups: Sequence[str]) -> str:
    """Return the group that the headline is about: warm people, or the first group."""
    return "warm" if "warm" in groups else groups[0]


def group_rows(folds: Sequence[Fold], group: str) -> I32:
    """Return the people (N,) of a group, fold after fold: the rows of :meth:`Trial.values`."""
    return np.concatenate([fold.user_rows[fold.groups[group].people] for fold in folds if group in fold.groups])


def _facts(fold: Fold) -> dict[str, Any]:
    return {
        "name": fold.name,
        "cut": fold.cut,
        "people": len(fold),
        "targets": len(fold.targets.values),
        "unreachable_targets": fold.n_unreachable,
        "left_out": fold.n_left_out,
        "candidates": int(fold.candidates.sum()),
        "train_events": len(fold.train.interactions),
    }


def _train_fingerprint(folds: Sequence[Fold]) -> str:
    """Return the training part's fingerprint; of several parts, the sha256 over theirs, one a line, in order."""
    prints = list(dict.fromkeys(fold.train.fingerprint for fold in folds))
    return prints[0] if len(prints) == 1 else hashlib.sha256("".join(f"{p}\n" for p in prints).encode()).hexdigest()


def _group_reports(
    folds: Sequence[Fold], trials: Sequence[Trial], group: str, spec: ProtocolSpec
) -> dict[str, GroupReport]:
    names, rows = spec.metric_names, group_rows(folds, group)
    everything = np.concatenate([trial.values(group, names) for trial in trials], axis=1)
    ranges = intervals(everything, rows, n_resamples=spec.n_resamples)
    out = {}
    for number, trial in enumerate(trials):
        own = ranges[number * len(names) : (number + 1) * len(names)]
        spread = _seed_sd(trial, group, names)
        values = {name: _value(own[i], spread.get(name)) for i, name in enumerate(names)}
        out[trial.name] = GroupReport(n=len(rows), metrics=values)
    return out


def _seed_sd(trial: Trial, group: str, names: Sequence[str]) -> dict[str, float]:
    if len(trial.results) < 2:
        return {}
    means = [trial.values(group, names, seed=seed).mean(axis=0) for seed in trial.results]
    return dict(zip(names, np.std(means, axis=0, ddof=1).tolist(), strict=True))


def _value(interval: Interval, seed_sd: float | None) -> MetricValue:
    return MetricValue(interval.mean, interval.low, interval.high, seed_sd)


def _paired(folds: Sequence[Fold], trials: Sequence[Trial], group: str, spec: ProtocolSpec) -> dict[str, Paired]:
    """Compare every model with ``default`` by the first metric, where ``default`` was measured."""
    by_name = {trial.name: trial for trial in trials}
    if DEFAULT not in by_name:
        return {}
    metric, rows = spec.metric_names[0], group_rows(folds, group)
    ours = by_name[DEFAULT].values(group, [metric])[:, 0]
    out = {}
    for name, trial in by_name.items():
        if name != DEFAULT:
            found = compare(ours, trial.values(group, [metric])[:, 0], rows, n_resamples=spec.n_resamples)
            gap, times = found.difference, found.ratio
            out[name] = Paired(
                DEFAULT, metric, gap.mean, gap.low, gap.high, times.mean, times.low, times.high, found.share
            )
    return out


def _model_report(trial: Trial, groups: dict[str, GroupReport], main: str, paired: Mapping[str, Paired]) -> ModelReport:
    return ModelReport(
        name=trial.name,
        seeds=tuple(trial.results),
        groups=groups,
        metrics=groups[main].metrics,
        latency_ms=LatencyReport(trial.latency.p50, trial.latency.p99),
        fit_s=trial.fit_s,
        predict_s=trial.predict_s,
        peak_mb=trial.peak_mb,
        tune_s=trial.tune_s,
        settings={fold: dict(settings) for fold, settings in trial.settings.items()},
        paired=paired.get(trial.name),
    )


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Models named twice: {', '.join(twice)}.", hint="Give each contender a name of its own.")
