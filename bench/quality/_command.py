"""The command: which tasks, models and seeds; each measured in a process of its own, then shown side by side."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench._kept import OUT, keep
from bench.peers._known import KNOWN
from bench.peers._venv import NoPeerError, python_of
from bench.quality._gather import Measured, beside, gathered, report
from bench.quality._models import is_seeded, is_there
from bench.quality._results import Place, Result, agreeing, forget, read
from bench.quality._tasks import BASELINES, DEFAULT, MAIN, TASKS, Task, chosen, named, unknown
from bench.quality._verdicts import verdicts
from inkling import datasets

WIDTH = 150
_LINES = 6


@dataclass(frozen=True)
class Job:
    """One process: a model on a task, with one seed after the other."""

    task: Task
    model: str
    seeds: tuple[int, ...]

    def places(self, out: Path) -> list[Place]:
        """Return where its results lie."""
        return [Place(out, self.task.name, self.model, seed) for seed in self.seeds]

    def missing(self, out: Path) -> list[int]:
        """Return the seeds that were not measured yet."""
        return [place.seed for place in self.places(out) if read(place) is None]


def parser() -> argparse.ArgumentParser:
    """Return what the command understands."""
    import bench.quality

    made = argparse.ArgumentParser(
        prog="bench.quality", description=bench.quality.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    names = ", ".join(task.name for task in TASKS)
    made.add_argument("--tasks", default="", metavar="A,B", help=f"all, or some of: {names}")
    made.add_argument("--models", default="", metavar="A,B", help="all, baselines, linear, factors, graph, sequence,\n"
                      "language, none, or names; default: the README's, or with --tasks all")  # fmt: skip
    made.add_argument("--peers", default="", metavar="A,B", help=f"all, or some of: {', '.join(KNOWN)}; default: none")
    made.add_argument("--seeds", default="0", metavar="S", help="seeds of what is drawn, by comma (0)")
    made.add_argument("--limit", type=float, default=900.0, metavar="S", help="seconds of a peer's training (900)")
    made.add_argument("--minutes", type=float, default=0.0, metavar="M", help="limit of one fit of default; 0 is none")
    made.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N", help="cores of a fit (all)")
    made.add_argument("--quick", action="store_true", help="first settings, two epochs, one cut: does it run at all?")
    made.add_argument("--fresh", action="store_true", help="measure again what is kept")
    made.add_argument("--show", action="store_true", help="measure nothing: show what is kept")
    made.add_argument("--list", action="store_true", dest="listed", help="name what would be measured, and end")
    made.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else ../shared/data")
    made.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, show everything; 1 where a process failed, 2 where a word is not known."""
    told = parser().parse_args(argv)
    out = told.out / "quick" if told.quick else told.out
    console = Console(width=WIDTH)
    try:
        tasks, jobs = asked(told)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if told.listed:
        for job in jobs:
            print(job.task.name, job.model, ",".join(map(str, job.seeds)), "" if job.missing(out) else "kept")
        return 0
    failed = [] if told.show else measured(jobs, told, out, console)
    found = {task.name: models for task in TASKS if (models := kept(task, out))}
    for task in tasks:
        if task.name in found:
            show(task, found, out, console)
    for line in failed:
        console.print(line, style="red", markup=False, highlight=False)
    return 1 if failed else 0


def asked(told: argparse.Namespace) -> tuple[list[Task], list[Job]]:
    """Return the tasks and the processes that the words stand for, the cheap models first.

    Raises:
        ValueError: A word stands for nothing.
    """
    known = [task.name for task in TASKS]
    names = [task.name for task in MAIN] if not told.tasks else known if told.tasks == "all" else told.tasks.split(",")
    peers = list(KNOWN) if told.peers == "all" else [name for name in told.peers.split(",") if name]
    words = (
        []
        if told.models == "none"
        else told.models.split(",")
        if told.models
        else ["all"]
        if told.tasks
        else [*BASELINES, DEFAULT]
    )
    lost = [*unknown(words), *(set(names) - set(known)), *(set(peers) - set(KNOWN))]
    if lost:
        raise ValueError(f"Not known: {', '.join(sorted(lost))}. See --help for tasks, models and peers.")
    tasks, seeds = [named(name) for name in names], [int(seed) for seed in told.seeds.split(",")]
    return tasks, [job for task in tasks for job in _jobs(task, words, peers, seeds)]


def _jobs(task: Task, words: Sequence[str], peers: Sequence[str], seeds: Sequence[int]) -> Iterator[Job]:
    able = [name for name in peers if task.without == ()]
    for name in (*chosen(task, words), *able):
        yield Job(task, name, tuple(seeds if is_seeded(name) else seeds[:1]))


def measured(jobs: Sequence[Job], told: argparse.Namespace, out: Path, console: Console) -> list[str]:
    """Run each process whose result is missing; return what failed, in words."""
    failed, missing = [], set()
    for number, job in enumerate(jobs, start=1):
        for place in job.places(out) if told.fresh else ():
            forget(place)
        if not job.missing(out):
            continue
        if job.model in missing or (problem := lacking(job.model)):
            if job.model not in missing:
                failed.append(f"{job.model}: {problem}")
            missing.add(job.model)
            continue
        begin = time.perf_counter()
        console.print(f"[dim]{number}/{len(jobs)} {job.task.name} {job.model} ...[/]", highlight=False)
        if wrong := run(job, told, out):
            failed.append(f"{job.task.name} {job.model}: {wrong}")
            console.print(failed[-1], style="red", markup=False, highlight=False)
        console.print(f"[dim]  {time.perf_counter() - begin:.0f} s[/]", highlight=False)
    return failed


def lacking(model: str) -> str:
    """Return why a model cannot be measured here; empty where it can. Builds the environment of a peer."""
    if model not in KNOWN:
        return "" if is_there(model) else "this version has no such model"
    try:
        python_of(KNOWN[model].environment)
    except NoPeerError as error:
        return str(error)
    return ""


def run(job: Job, told: argparse.Namespace, out: Path) -> str:
    """Measure in a process of its own; return what it said last where it failed."""
    words = [sys.executable, "-m", "bench.quality._one", job.task.name, job.model, ",".join(map(str, job.seeds))]
    words += ["--out", str(out), "--limit", str(told.limit), "--minutes", str(told.minutes)]
    words += ["--threads", str(told.threads), *(["--quick"] if told.quick else [])]
    root = public(told.data)
    done = subprocess.run(
        [*words, *(["--data", str(root)] if root else [])], stderr=subprocess.PIPE, text=True, check=False
    )
    return "\n".join(done.stderr.strip().splitlines()[-_LINES:]) if done.returncode else ""


def kept(task: Task, out: Path) -> dict[str, Measured]:
    """Return the models of a task that were measured on the same targets; an older measurement is left out."""
    results: list[Result] = []
    for path in sorted((out / "quality" / task.name).glob("*.*.json")):
        model, seed = path.name.removesuffix(".json").rsplit(".", 1)
        found = read(Place(out, task.name, model, int(seed))) if seed.isdigit() else None
        if found is not None:
            results.append(found)
    order = {name: place for place, name in enumerate((*task.models, *KNOWN))}
    results.sort(key=lambda one: (order.get(one.about["model"], len(order)), one.about["seed"]))
    return gathered(agreeing(results))


def show(task: Task, found: dict[str, dict[str, Measured]], out: Path, console: Console) -> None:
    """Print a task's models side by side and its verdicts; keep both."""
    models = found[task.name]
    said, more, judged = report(models), beside(models), verdicts(task, found)
    keep(
        f"quality-{task.name}",
        {
            "task": task.name,
            "refit": task.refits,
            "verdicts": [one.to_dict() for one in judged],
            "report": json.loads(said.to_json()),
            "beside": more,
            "default_fits": [fit for one in _fits(models) for fit in one],
        },
        out=out,
    )
    console.print(table(task, said, more))
    for one in judged:
        style = {True: "green", False: "red", None: "dim"}[one.reached]
        console.print(one.line(), style=style, markup=False, highlight=False, soft_wrap=True)
    console.print()


def table(task: Task, said: Any, more: dict[str, dict[str, Any]]) -> Table:
    """Return quality and price side by side, the best first."""
    from inkling.evaluation.table import main_group

    n, prints = said.models[0].groups[main_group(said)].n, said.protocol["fingerprint"][:12]
    head = [f"ndcg@{task.ks[-1]} (95%)", f"recall@{task.ks[-1]} (95%)", *(["hit@1"] if 1 in task.ks else [])]
    made = Table(title=f"{task.name}: seen {task.seen}, {task.refits}, n = {n:,}, fingerprint {prints}")
    for name in ("model", *head, "seeds", "fit s", "s/epoch", "p50 ms", "p99 ms", "peak MB"):
        made.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    first = f"ndcg@{task.ks[-1]}"
    for model in sorted(said.models, key=lambda one: -one.metrics[first].value):
        pairs = [_interval(model.metrics[f"{name}@{task.ks[-1]}"]) for name in ("ndcg", "recall")]
        ones = [f"{model.metrics['hit@1'].value:.4f}"] if 1 in task.ks else []
        told = more[model.name]["s_per_epoch"]
        speed = [f"{model.latency_ms.p50:.2f}", f"{model.latency_ms.p99:.2f}", f"{model.peak_mb:,.0f}"]
        spent = [str(len(model.seeds)), f"{model.fit_s:.1f}", "" if told is None else f"{told:.2f}"]
        made.add_row(model.name, *pairs, *ones, *spent, *speed)
    return made


def public(given: Path | None) -> Path | None:
    """Return the folder of the public sets: the one given; none where the environment names one; else the usual one."""
    if given is not None or os.environ.get(datasets.catalog.ROOT_VARIABLE):
        return given
    return Path(__file__).parents[3] / "shared" / "data"


def _fits(models: dict[str, Measured]) -> list[Any]:
    return [one.about.get("default_fits", []) for one in models[DEFAULT].results] if DEFAULT in models else []


def _interval(value: Any) -> str:
    spread = "" if value.seed_sd is None else f" ±{value.seed_sd:.4f}"
    return f"{value.value:.4f}{spread} ({value.low:.4f}-{value.high:.4f})"
