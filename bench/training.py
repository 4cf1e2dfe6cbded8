# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How fast ``sasrec`` learns beside the SASRec of RecTools and of RecBole: seconds of an epoch, and to equal quality.

All three learn the same training part of ``beauty`` (leave one out, seen dropped) on the same cores, for a growing
number of epochs without stopping early, each time from the start; quality is NDCG@10 of validation people. Seconds to
equal quality are read off the two curves at the highest quality that both reach. Curves are kept point by point, so a
command that was ended goes on. Settings are those that ``python -m bench quality`` chose, else each one's first.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.peers._contender import PeerContender, peer
from bench.peers._known import KNOWN
from bench.peers._venv import NoPeerError
from bench.quality._command import public
from bench.quality._one import Clock, lay_out
from bench.quality._results import Place, read_settings
from bench.quality._tasks import named
from inkling.core.run import Run
from inkling.evaluation.contenders import Baseline, Contender
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.measure import measure
from inkling.retrieval import RETRIEVERS

OURS = "sasrec"
STEPS = {OURS: (1, 2, 4, 8, 16, 30), "rectools-sasrec": (1, 2, 4, 8, 16, 32), "recbole-sasrec": (1, 2, 4)}
"""Model -> the epochs that are measured; RecBole's last minutes each."""
GOALS = {"rectools-sasrec": 3.0, "recbole-sasrec": 10.0}
"""Peer -> how many times faster ours should be at equal quality."""
METRIC = "ndcg@10"
PEOPLE = 3000
Point = dict[str, float]


def fixed(name: str, chosen: Mapping[str, Any], epochs: int, n_threads: int) -> tuple[Contender, dict[str, Any]]:
    """Return a model and its settings for exactly so many epochs."""
    if name in KNOWN:
        return peer(name, limit_s=0.0, n_threads=n_threads), {**(chosen or KNOWN[name].grid[0]), "epochs": epochs}
    known = RETRIEVERS.get(name).Config.__struct_fields__
    whole = {"patience": 0, "validation": 0.0, "max_seconds": 0.0}
    steady = {key: value for key, value in whole.items() if key in known}
    return Baseline(name, name), {**chosen, **steady, "epochs": epochs}


def point(name: str, chosen: Mapping[str, Any], epochs: int, fold: Fold, *, n_threads: int) -> Point:
    """Fit once for so many epochs; return what it took and what it is worth."""
    made, settings = fixed(name, chosen, epochs, n_threads)
    clock = Clock()
    begin = time.perf_counter()
    fitted = made.fit(fold.train, settings, Run(n_threads=n_threads, progress=clock))
    fit_s = time.perf_counter() - begin
    value = measure(fold, fitted.recommend, (METRIC,)).value(METRIC)
    told = made.told if isinstance(made, PeerContender) else clock.epochs(name, n_folds=0)
    if isinstance(made, PeerContender):
        fit_s = float(made.told["fit_s"])
        made.close()
    return {"epochs": epochs, "fit_s": fit_s, "s_per_epoch": float(told.get("s_per_epoch", np.nan)), METRIC: value}


def seconds_to(curve: Sequence[Point], quality: float) -> float:
    """Return the seconds at which a curve first reaches a quality, between its points; infinite where it never does."""
    before: Point = {"fit_s": 0.0, METRIC: 0.0}
    for one in curve:
        if one[METRIC] >= quality:
            rise = one[METRIC] - before[METRIC]
            share = (quality - before[METRIC]) / rise if rise > 0 else 1.0
            return before["fit_s"] + share * (one["fit_s"] - before["fit_s"])
        before = one
    return float("inf")


def compared(ours: Sequence[Point], theirs: Sequence[Point], goal: float) -> dict[str, Any]:
    """Return how many times faster ours is: by the epoch, and at the highest quality that both reach."""
    quality = min(max(one[METRIC] for one in curve) for curve in (ours, theirs))
    mine, other = seconds_to(ours, quality), seconds_to(theirs, quality)
    epochs = [float(np.median([one["s_per_epoch"] for one in curve])) for curve in (ours, theirs)]
    found = {"quality": quality, "ours_s": mine, "theirs_s": other, "times": other / mine, "epoch_s": epochs}
    return {**found, "epoch_times": epochs[1] / epochs[0], "goal": goal, "reached": other / mine >= goal}


def verdict(name: str, found: Mapping[str, Any]) -> str:
    """Return a comparison as a line to read."""
    outcome = "reached" if found["reached"] else "MISSED"
    return (
        f"{name}: {OURS} at least {found['goal']:.0f} times as fast at equal quality: {outcome} "
        f"({found['ours_s']:.1f} s against {found['theirs_s']:.1f} s to {METRIC} {found['quality']:.4f}: "
        f"{found['times']:.1f} times; an epoch {found['epoch_s'][0]:.2f} s against {found['epoch_s'][1]:.2f} s: "
        f"{found['epoch_times']:.1f} times)"
    )


def settings_of(name: str, task: str, out: Path) -> dict[str, Any]:
    """Return what the bench on quality chose; nothing where it was not run."""
    kept, _ = read_settings(Place(out, task, name, 0))
    return dict(next(iter(kept.values()), {}))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--task", default="beauty", help="a task of the bench on quality (beauty)")
    parser.add_argument("--models", default=",".join(STEPS), help=f"by comma ({','.join(STEPS)})")
    parser.add_argument("--epochs", default="", help="epochs to measure at, by comma; default: each model's own")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores to train on (all)")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument(
        "--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual one"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    setting = lay_out(named(told.task), public(told.data), (0,))
    part = setting.folds[0].validation or setting.folds[0]
    fold = sampled(part, PEOPLE, np.random.default_rng(0))
    curves = _kept(told.out, told.task) if not told.fresh else {}
    console, failed = Console(width=130), []
    for name in told.models.split(","):
        steps = [int(step) for step in told.epochs.split(",")] if told.epochs else STEPS[name]
        try:
            for epochs in steps:
                _measure(name, epochs, fold, curves, told, console)
        except NoPeerError as error:
            failed.append(f"{name}: {error}")
    _show(curves, told, console)
    console.print("\n".join(failed), style="red", markup=False, highlight=False)
    return 1 if failed else 0


def _measure(
    name: str, epochs: int, fold: Fold, curves: dict[str, list[Point]], told: argparse.Namespace, console: Console
) -> None:
    curve = curves.setdefault(name, [])
    if any(one["epochs"] == epochs for one in curve):
        return
    found = point(name, settings_of(name, told.task, told.out), epochs, fold, n_threads=told.threads)
    console.print(f"{name}: {epochs} epochs, {found['fit_s']:.1f} s, {METRIC} {found[METRIC]:.4f}", highlight=False)
    curve.append(found)
    curve.sort(key=lambda one: one["epochs"])
    keep("training", {"task": told.task, "threads": told.threads, "curves": curves}, out=told.out)


def _show(curves: Mapping[str, list[Point]], told: argparse.Namespace, console: Console) -> None:
    table = Table(title=f"Training on {told.task}, {told.threads} cores: validation people, from the start each time")
    for column in ("model", "epochs", "fit s", "s/epoch", METRIC):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, curve in curves.items():
        for one in curve:
            cells = (f"{one['epochs']:.0f}", f"{one['fit_s']:.1f}", f"{one['s_per_epoch']:.2f}", f"{one[METRIC]:.4f}")
            table.add_row(name, *cells)
    console.print(table)
    found = {name: compared(curves[OURS], curves[name], goal) for name, goal in GOALS.items()
             if curves.get(name) and curves.get(OURS)}  # fmt: skip
    lines = [verdict(name, one) for name, one in found.items()]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    keep("training", {"task": told.task, "threads": told.threads, "curves": curves, "compared": found}, out=told.out)


def _kept(out: Path, task: str) -> dict[str, list[Point]]:
    path = out / "training.json"
    found = json.loads(path.read_bytes()) if path.is_file() else {}
    return found["curves"] if found.get("task") == task else {}


if __name__ == "__main__":
    sys.exit(main())
