# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How good ``default`` is beside tuned baselines, by the protocol: ``python -m bench.quality [--others]``.

Online retail by time, cut at .9, with what people had kept and with it dropped; the goals are those of the project's
plan. ``--others`` measures four further public sets, for which there is no goal. Each baseline has the settings of its
grid that win on validation; ``default`` chooses on windows inside the training part. The best baseline is the one that
wins on the test people, which favours the baselines. Everything runs on one thread; results are kept model by model.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from inkling import datasets, scenarios
from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine.pipeline import PIPELINES, PipelineReport, Trace
from inkling.evaluation import models
from inkling.evaluation.contenders import Baseline, Contender, Fitted, Settings
from inkling.evaluation.evaluate import summarise
from inkling.evaluation.folder import prepare
from inkling.evaluation.output import EvaluationReport, ModelReport
from inkling.evaluation.table import main_group, render_table
from inkling.evaluation.trial import Trial, run_trial
from inkling.protocol.leaks import Provenance
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split

METRICS = ("ndcg@10", "recall@10")
BASELINES = ("popular", "popular-7d", "repeat", "markov", "itemknn", "ease")
WINDOWED = ("popular", "popular-1d", "popular-7d", "popular-30d", "repeat", "markov", "itemknn", "ease")
UNTIMED = ("popular", "repeat", "markov", "itemknn", "ease")
DEFAULT = models.DEFAULT
WIDTH = 130


@dataclass(frozen=True)
class Task:
    """One measurement.

    Attributes:
        name: In files and titles.
        data: Name of the data set.
        seen: keep or drop.
        goal: By what share ``default`` should be above the best baseline; None where nothing was promised.
        split: Empty for what the data can carry.
        cuts: Shares of the events before each cut.
        baselines: Those that the data can carry.
        fixed: Baseline -> settings that bound its cost here.
    """

    name: str
    data: str
    seen: str
    goal: float | None = None
    split: str = ""
    cuts: tuple[float, ...] = (0.9,)
    baselines: tuple[str, ...] = BASELINES
    fixed: dict[str, dict[str, Any]] = field(default_factory=dict)


MAIN = (
    Task("online-retail-keep", "online-retail", "keep", goal=0.05),
    Task("online-retail-drop", "online-retail", "drop", goal=0.10),
)
OTHERS = (
    Task("insurance-keep", "insurance", "keep", baselines=WINDOWED),
    Task("musical-reviews-drop", "musical-reviews", "drop", baselines=WINDOWED),
    Task("movielens-small-drop", "movielens-small", "drop", cuts=(0.5, 0.6, 0.7, 0.8, 0.9), baselines=WINDOWED),
    # No times, so no window of days. 17,632 items make a matrix that costs minutes to invert: the most active 6,000.
    Task("lastfm-random", "lastfm", "drop", split="random", baselines=UNTIMED, fixed={"ease": {"max_items": 6000}}),
)


@dataclass(frozen=True)
class Told:
    """The scenario's pipeline as a contender that also keeps what each fit told about its choices."""

    scenario: Scenario
    reports: list[PipelineReport]
    name: str = DEFAULT
    provenance: tuple[Provenance, ...] = ()

    def choose(self, fold: Any, run: Run) -> Settings:
        """Return the scenario's settings: the fit itself chooses, inside what it is given."""
        return self.scenario.settings

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Fit the pipeline and keep its report."""
        kind = PIPELINES.get(self.scenario.pipeline)
        pipeline = kind(parse(kind.Config, settings, where=self.name)).fit(data, run)
        self.reports.append(pipeline.report())
        return Fitted(lambda query, k: pipeline.recommend(query, k, Trace()))


def contenders(task: Task, scenario: Scenario, names: Sequence[str], told: list[PipelineReport]) -> list[Contender]:
    """Return the models of a task, the cheap ones first; those that the data cannot carry are left out."""
    made: list[Contender] = []
    for name in names:
        if name == DEFAULT:
            made.append(Told(scenario, told))
        elif name in task.baselines:
            found = models.contender(name, scenario)
            bound = task.fixed.get(name)
            made.append(
                replace(found, fixed={**found.fixed, **bound}) if bound and isinstance(found, Baseline) else found
            )
    return made


def measure(
    task: Task, names: Sequence[str], *, root: Path | None, seeds: tuple[int, ...], out: Path, console: Console
) -> dict[str, Any]:
    """Run one task model by model, keeping what is there after each; return what was kept."""
    folder = datasets.load(task.data, root)
    scenario = scenarios.load(folder.info.scenario or scenarios.GENERAL)
    events, scenario, tables = prepare(folder, scenario)
    wanted = ProtocolSpec(
        split=task.split, cuts=task.cuts, seen=task.seen, ks=(10,), metrics=("ndcg", "recall"), seeds=seeds
    )
    spec = resolve(wanted, scenario)
    folds = split(events, scenario, tables, spec)
    _ = [fold.validation for fold in folds]
    trials: list[Trial] = []
    told: list[PipelineReport] = []
    kept: dict[str, Any] = {}
    for model in contenders(task, scenario, names, told):
        console.print(f"[dim]{task.name}: {model.name} ...[/]", highlight=False)
        trials.append(run_trial(model, folds, spec, Run()))
        report = summarise(folds, trials, scenario, spec)
        kept = {
            "task": task.name,
            "goal": verdict(report, task.goal),
            "report": json.loads(report.to_json()),
            "default_fits": [msgspec.to_builtins(one) for one in told],
        }
        keep(f"quality-{task.name}", kept, out=out)
    console.print(render_table(report, metrics=METRICS))
    return kept


def best_baseline(report: EvaluationReport) -> ModelReport | None:
    """Return the baseline that wins on the test people."""
    baselines = [model for model in report.models if model.name != DEFAULT]
    return max(baselines, key=lambda model: model.metrics["ndcg@10"].value, default=None)


def verdict(report: EvaluationReport, goal: float | None) -> dict[str, Any]:
    """Return how ``default`` stands to the best baseline, and whether that is what was promised."""
    best, ours = best_baseline(report), {model.name: model for model in report.models}.get(DEFAULT)
    if best is None or ours is None or best.paired is None:
        return {}
    gap, recall = best.paired, "recall@10"
    gain = gap.ratio - 1
    found: dict[str, Any] = {
        "group": main_group(report),
        "n": ours.groups[main_group(report)].n,
        "best_baseline": best.name,
        "best": best.metrics["ndcg@10"].value,
        "default": ours.metrics["ndcg@10"].value,
        "gain": gain,
        "difference": gap.difference,
        "low": gap.low,
        "high": gap.high,
        "recall_gain": ours.metrics[recall].value / best.metrics[recall].value - 1
        if best.metrics[recall].value
        else None,
    }
    if goal is not None:
        found |= {"goal": goal, "reached": gain >= goal and gap.low > 0, "missing": max(goal - gain, 0.0)}
    return found


def line(found: dict[str, Any]) -> str:
    """Return a verdict as a line to read."""
    if not found:
        return "no comparison: default or every baseline was left out"
    said = (
        f"default {found['default']:.4f} against {found['best_baseline']} {found['best']:.4f}: {found['gain']:+.1%}, "
        f"difference {found['difference']:+.4f}, 95% interval {found['low']:+.4f} to {found['high']:+.4f}, "
        f"n = {found['n']:,}"
    )
    if "goal" not in found:
        return f"no goal: {said}"
    if found["reached"]:
        outcome = "reached"
    elif found["missing"] > 0:
        outcome = f"missed by {found['missing']:.1%}"
    else:
        outcome = "missed: the interval holds 0"
    return f"goal: >= {found['goal']:+.0%}, interval above 0: {outcome} ({said})"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.quality", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    known = [task.name for task in (*MAIN, *OTHERS)]
    parser.add_argument(
        "--others", action="store_true", help="four further public sets instead, for which there is no goal"
    )
    parser.add_argument("--only", choices=known, action="append", help="these tasks alone")
    parser.add_argument("--models", default="", help="these models alone, by comma")
    parser.add_argument("--seeds", default="0", help="seeds to fit with, by comma")
    parser.add_argument(
        "--data", type=Path, help="folder of the public data sets; default: INKLING_DATA, else ../shared/data"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    chosen = (
        [task for task in (*MAIN, *OTHERS) if task.name in options.only]
        if options.only
        else OTHERS
        if options.others
        else MAIN
    )
    console, lines = Console(width=WIDTH), []
    seeds = tuple(int(seed) for seed in options.seeds.split(","))
    for task in chosen:
        root = None if task.data in datasets.catalog.BUNDLED else public(options.data)
        kept = measure(
            task,
            options.models.split(",") if options.models else (*task.baselines, DEFAULT),
            root=root,
            seeds=seeds,
            out=options.out,
            console=console,
        )
        lines.append(f"{task.name}: {line(kept['goal'])}")
        console.print(lines[-1] + "\n", markup=False, highlight=False, soft_wrap=True)
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    return 0


def public(given: Path | None) -> Path | None:
    """Return the folder of the public sets: the one given; none where the environment names one; else the usual one."""
    if given is not None or os.environ.get(datasets.catalog.ROOT_VARIABLE):
        return given
    return Path(__file__).parents[2] / "shared" / "data"


if __name__ == "__main__":
    sys.exit(main())
