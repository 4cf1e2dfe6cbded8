# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""One task and one model in a process of its own: of each seed a JSON file and the people's values are kept."""

from __future__ import annotations

from bench._kept import machine, one_thread

one_thread()

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers._contender import PeerContender
from bench.peers._known import KNOWN
from bench.quality._models import Chosen, Effort, contender, latency_of
from bench.quality._results import Place, Result, read, read_settings, write, write_settings
from bench.quality._tasks import METRICS, Task, named
from inkling import datasets, scenarios
from inkling.core.config import to_dict
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Events, Items
from inkling.evaluation.evaluate import group_names, group_rows, protocol_of
from inkling.evaluation.folder import prepare
from inkling.evaluation.trial import Trial, run_trial
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts, Tables
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.protocol.splits.loo import find_ends

_EPOCHS = ("training", "epochs")


@dataclass
class Clock:
    """Listens to progress: what a training tells of its epochs."""

    marks: dict[tuple[str, int], list[tuple[int, float]]] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` are done; a stage that begins again forgets the time before."""
        if done == 0:
            self.marks[stage, total] = []
        self.marks.setdefault((stage, total), []).append((done, time.perf_counter()))

    def epochs(self, name: str, *, n_folds: int) -> dict[str, Any]:
        """Return the seconds of an epoch and how many the last training took; nothing where no stage told.

        A model's own name is also the stage of the trial that walks through the folds, which is left out.
        """
        trainings = {key: marks for key, marks in self.marks.items() if key[0] in (name, *_EPOCHS)}
        trainings.pop((name, n_folds), None)
        longest = max(map(_steps, trainings.values()), key=len, default=[])
        return {"epochs": len(longest), "s_per_epoch": float(np.median(longest))} if longest else {}


def _steps(marks: Sequence[tuple[int, float]]) -> list[float]:
    return [b[1] - a[1] for a, b in pairwise(marks) if b[0] == a[0] + 1]


@dataclass(frozen=True)
class Setting:
    """A task laid out: what is asked and learned from."""

    scenario: Scenario
    spec: ProtocolSpec
    folds: list[Fold]


def lay_out(task: Task, root: Path | None, seeds: tuple[int, ...], *, quick: bool = False) -> Setting:
    """Load, clean and split a task's data; validation parts are built here, so that no model is charged for them."""
    folder = datasets.load(task.data, None if task.data in datasets.catalog.BUNDLED else root)
    events, scenario, tables = prepare(folder, scenarios.load(folder.info.scenario or scenarios.GENERAL))
    tables = stripped(tables, task.without)
    cuts = task.cuts[-1:] if quick else task.cuts
    wanted = ProtocolSpec(split=task.split, cuts=cuts, seen=task.seen, ks=task.ks, metrics=METRICS, seeds=seeds)
    spec = resolve(wanted, scenario)
    folds = split(events, scenario, tables, spec)
    if task.refit:
        folds = [refitted(fold, events, scenario, tables) for fold in folds]
    _ = [fold.validation for fold in folds]
    return Setting(scenario, spec, folds)


def stripped(tables: Tables, without: Sequence[str]) -> Tables:
    """Return the tables without some columns of the catalogue, and without links where these are named."""
    kept = replace(tables, links=None) if "links" in without else tables
    if kept.items is None:
        return kept
    gone = [name for name in without if name in kept.items.frame.columns]
    return replace(kept, items=Items(kept.items.frame.drop(gone))) if gone else kept


def refitted(fold: Fold, events: Events, scenario: Scenario, tables: Tables) -> Fold:
    """Return a leave-one-out fold whose training part also holds each person's validation event.

    Its validation part, on which settings are chosen, stays as it was.
    """
    import msgspec

    parts = Parts.of(events, msgspec.structs.replace(scenario, seen=fold.seen), tables)
    ends = find_ends(parts, np.ones(len(parts), dtype=np.bool_))
    late = np.arange(len(parts)) < ends.test[parts.user_rows]
    train = parts.dataset(late, until=int(parts.ts[late].max(initial=0)), known=fold.candidates)
    return replace(fold, train=train)


def measure(
    task: Task, name: str, seeds: Sequence[int], *, root: Path | None, out: Path, effort: Effort
) -> list[Result]:
    """Measure one model with each seed that is missing, and keep each; settings of the first are those of all."""
    missing = [seed for seed in seeds if read(Place(out, task.name, name, seed)) is None]
    if not missing:
        return []
    setting = lay_out(task, root, (missing[0],), quick=effort.quick)
    return [_measured(task, name, seed, setting=setting, out=out, effort=effort) for seed in missing]


def _measured(task: Task, name: str, seed: int, *, setting: Setting, out: Path, effort: Effort) -> Result:
    setting = replace(setting, spec=ProtocolSpec(**{**to_dict(setting.spec), "seeds": (seed,)}))
    told: list[Any] = []
    place, clock = Place(out, task.name, name, seed), Clock()
    kept, tuned_s = read_settings(place)
    made = contender(name, task, setting.scenario, effort, told)
    run = Run(n_threads=effort.n_threads, progress=clock)
    trial = run_trial(Chosen(made, kept), setting.folds, setting.spec, run)
    if not kept:
        tuned_s = trial.tune_s
        write_settings(place, trial.settings, tuned_s)
    about = (
        described(task, setting, trial, tuned_s)
        | clock.epochs(name, n_folds=len(setting.folds))
        | _told(made, setting)
        | {"default_fits": told[-1:]}
    )
    if (timed := latency_of(made)) is not None:
        about["latency_ms"] = {"p50": timed.p50, "p99": timed.p99}
    if isinstance(made, PeerContender):
        made.close()
    result = Result(about, values(trial, setting))
    write(place, result)
    return result


def described(task: Task, setting: Setting, trial: Trial, tuned_s: float) -> dict[str, Any]:
    """Return all of a result but the people's values."""
    return {
        "task": task.name,
        "model": trial.name,
        "kind": "peer" if trial.name in KNOWN else "ours",
        "refit": task.refits,
        "seed": setting.spec.seeds[0],
        "protocol": protocol_of(setting.folds, setting.scenario, setting.spec),
        "metrics": list(setting.spec.metric_names),
        "settings": {fold: dict(chosen) for fold, chosen in trial.settings.items()},
        "tune_s": tuned_s,
        "fit_s": trial.fit_s,
        "predict_s": trial.predict_s,
        "latency_ms": {"p50": trial.latency.p50, "p99": trial.latency.p99},
        "peak_mb": trial.peak_mb,
        "n_folds": len(setting.folds),
        "machine": machine(),
    }


def values(trial: Trial, setting: Setting) -> dict[str, tuple[Any, Any]]:
    """Return group -> the people (N,) and their values (N, M)."""
    return {
        group: (group_rows(setting.folds, group), trial.values(group, setting.spec.metric_names))
        for group in group_names(setting.folds)
    }


def _told(made: Any, setting: Setting) -> dict[str, Any]:
    """Return what a peer told of its fits: its own seconds and memory, not this process's."""
    if not isinstance(made, PeerContender):
        return {}
    n_fits = len({id(fold.train) for fold in setting.folds})
    return {"fit_s": made.fit_s(n_fits)} | {
        name: made.told[name] for name in ("epochs", "s_per_epoch", "peak_mb") if name in made.told
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.quality._one", description=__doc__)
    parser.add_argument("task")
    parser.add_argument("model")
    parser.add_argument("seeds")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=900.0)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true")
    told = parser.parse_args(argv)
    effort = Effort(limit_s=told.limit, minutes=told.minutes, n_threads=told.threads, quick=told.quick)
    seeds = [int(seed) for seed in told.seeds.split(",")]
    measure(named(told.task), told.model, seeds, root=told.data, out=told.out, effort=effort)
    return 0


if __name__ == "__main__":
    sys.exit(main())
