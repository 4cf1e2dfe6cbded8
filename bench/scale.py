# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Memory and seconds to fit models on much data: ``python -m bench scale [--models als,popular] [--share .01]``.

A million people, a hundred thousand items and fifty million events are made up as arrays in memory; each model is
fitted on them in a process of its own. What counts is the peak of the process's memory, the data included; the goal is
at most 16 GiB for each. ``--share`` makes all three smaller by that share. After the fit, some people are answered.
"""

from __future__ import annotations

import os

from bench._kept import OUT, keep

# Threads are those of --threads, said once for all libraries, before numpy is there.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench._made import made
from inkling.core.errors import InklingError
from inkling.core.run import Run
from inkling.evaluation.memory import peak_mb
from inkling.retrieval import build

PEOPLE, ITEMS, EVENTS = 1_000_000, 100_000, 50_000_000
GOAL_GB = 16.0
MB_PER_GB = 1024.0
N_ASKED, K = 200, 100
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "als": {"factors": 64, "iterations": 10},
    "softmax_cf": {"form": "ratio", "epochs": 1},
    "bpr": {"epochs": 1},
    "sasrec": {"epochs": 1},
}
"""Settings that keep the time within reason; memory does not depend on the number of rounds."""
DEFAULT = "popular,markov,itemknn,userknn,ease,als,softmax_cf,bpr,sasrec"


def fit(name: str, share: float, settings: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """Make the data, fit one model and answer with it, all in this process; return what it took."""
    begun = time.perf_counter()
    data = made(*(max(int(n * share), 100) for n in (PEOPLE, ITEMS, EVENTS)))
    found: dict[str, Any] = {
        "events": len(data.interactions),
        "people": data.n_users,
        "items": data.n_items,
        "settings": dict(settings),
        "made_s": time.perf_counter() - begun,
        "made_mb": peak_mb(),
    }
    begun, worked = time.perf_counter(), time.process_time()
    model = build(name, settings).fit(data, Run(n_threads=threads, progress=_report))
    found |= {"fit_s": time.perf_counter() - begun, "fit_cpu_s": time.process_time() - worked, "peak_mb": peak_mb()}
    asked = data.query(np.linspace(0, data.n_users - 1, N_ASKED).astype(np.int32))
    questions = [asked.take([person]) for person in range(N_ASKED)]
    began = time.perf_counter()
    for question in questions:
        model.retrieve(question, K)
    found["answer_ms"] = (time.perf_counter() - began) / N_ASKED * 1000
    found["state_mb"] = sum(array.nbytes for array in model.state().values()) / 1e6
    return found


def _report(stage: str, done: int, total: int) -> None:
    print(f"{stage} {done}/{total}", file=sys.stderr, flush=True)


def apart(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one model in a process of its own; return what it took, or what went wrong."""
    settings = {**SETTINGS.get(name, {}), **json.loads(options.settings)}
    threads = str(options.threads)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    command = [sys.executable, "-m", "bench.scale", "--fit", name, "--settings", json.dumps(settings)]
    command += ["--share", str(options.share), "--threads", threads]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if not lines:
        return {"failed": f"ended with {done.returncode}" + (" (out of memory?)" if done.returncode == -9 else "")}
    said: dict[str, Any] = json.loads(lines[-1])
    return said


def line(name: str, found: Mapping[str, Any]) -> str:
    """Return a row of the table."""
    if "failed" in found:
        return f"{name:12} {found['failed']}"
    peak = found["peak_mb"] / MB_PER_GB
    verdict = "reached" if peak <= GOAL_GB else f"missed by {peak - GOAL_GB:.1f} GiB"
    return (
        f"{name:12} {found['events']:>11,} {found['made_mb'] / MB_PER_GB:9.2f} {peak:9.2f} {found['fit_s']:9.1f} "
        f"{found['fit_cpu_s']:9.1f} {found['state_mb']:9.0f} {found['answer_ms']:9.1f}   {verdict}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench scale", description=__doc__)
    parser.add_argument("--models", default=DEFAULT, help=f"by comma ({DEFAULT})")
    parser.add_argument("--share", type=float, default=1.0, help="of the full size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--settings", default="{}", help="JSON, for all models named")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.fit:
        try:
            said = fit(options.fit, options.share, json.loads(options.settings), options.threads)
        except (InklingError, MemoryError) as error:
            said = {"failed": str(error) or "out of memory"}
        print(json.dumps(said))
        return 0
    kept: dict[str, Any] = {}
    head = ("events", "data GiB", "peak GiB", "fit s", "cpu s", "state MB", "answer ms")
    print(f"{'model':12} {head[0]:>11} " + " ".join(f"{word:>9}" for word in head[1:]) + f"   goal <= {GOAL_GB:g} GiB")
    for name in options.models.split(","):
        kept[name] = apart(name, options)
        keep("scale", {"share": options.share, "threads": options.threads, "models": kept}, out=options.out)
        print(line(name, kept[name]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
