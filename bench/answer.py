# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How long one answer takes in process, stage by stage, on one thread: ``python -m bench.answer``.

A fitted bundle of the bundled shop answers 2,000 different people through ``engine.recommend(id, k=10)``, one by one.
Beside the wall's clock stands the thread's own processor time. Between the answers two fixed pieces of work are timed:
the machine factor says how much slower than at its best the machine was meanwhile. The goal is a median of 1 ms.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench._noise import Noise
from bench._shop import people_of, shop_bundle
from inkling.engine.engine import LocalEngine, open_engine

GOAL_P50_MS = 1.0
WARM_UP, NOISE_EVERY = 100, 20


def measure(engine: LocalEngine, people: Sequence[str], *, k: int, noise: Noise) -> dict[str, list[float]]:
    """Return milliseconds of each answer: ``wall``, ``cpu`` (this thread's), and each stage by the wall's clock."""
    took: dict[str, list[float]] = {"wall": [], "cpu": []}
    for number, user_id in enumerate(people):
        if number % NOISE_EVERY == 0:
            noise.sample()
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        answer = engine.recommend(user_id, k=k)
        took["cpu"].append((time.thread_time_ns() - cpu) / 1e6)
        took["wall"].append((time.perf_counter_ns() - wall) / 1e6)
        for stage, ms in answer.timings_ms.items():
            took.setdefault(stage, []).append(ms)
    return took


def percentiles(took: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return mean, p50, p90 and p99 of each row."""
    return {
        name: {"mean": float(np.mean(ms)), **{f"p{at}": float(np.percentile(ms, at)) for at in (50, 90, 99)}}
        for name, ms in took.items()
    }


def show(console: Console, rows: dict[str, dict[str, float]], noise: Noise, n_people: int) -> None:
    """Print the table, the noise and the goal."""
    table = Table(
        "milliseconds", "mean", "p50", "p90", "p99", title=f"One answer, {n_people:,} people", title_justify="left"
    )
    names = {"wall": "answer, wall clock", "cpu": "answer, processor time"}
    for name, row in rows.items():
        table.add_row(names.get(name, f"  {name}"), *(f"{row[column]:.3f}" for column in ("mean", "p50", "p90", "p99")))
    console.print(table)
    for name, row in noise.summary().items():
        console.print(f"{name}: best {row['best_us']:.0f} us, p50 {row['p50_us']:.0f} us, p99 {row['p99_us']:.0f} us")
    p50, factor = rows["wall"]["p50"], noise.factor
    outcome = "reached" if p50 <= GOAL_P50_MS else f"missed by {p50 - GOAL_P50_MS:.2f} ms"
    console.print(f"machine factor {factor:.2f}; p50 at the machine's best pace about {p50 / factor:.2f} ms")
    console.print(
        f"goal: p50 <= {GOAL_P50_MS:g} ms: {outcome} (p50 {p50:.3f} ms, processor {rows['cpu']['p50']:.3f} ms)"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.answer", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="a fitted bundle; default: the bundled shop's, fitted once")
    parser.add_argument("--people", type=int, default=2000, help="how many different people ask (2000)")
    parser.add_argument("-k", type=int, default=10, help="length of an answer (10)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    bundle = shop_bundle(options.bundle, out=options.out)
    people, noise = people_of(bundle, options.people), Noise()
    with open_engine("memory://", bundle) as engine:
        measure(engine, people[:: max(len(people) // WARM_UP, 1)], k=options.k, noise=Noise())
        rows = percentiles(measure(engine, people, k=options.k, noise=noise))
        order = engine.pipeline.report()
    found: dict[str, Any] = {
        "n_people": len(people),
        "k": options.k,
        "ms": rows,
        "noise": noise.summary(),
        "machine_factor": noise.factor,
        "goal_p50_ms": GOAL_P50_MS,
        "reached": rows["wall"]["p50"] <= GOAL_P50_MS,
        "order": order.chosen,
        "members": [member.name for member in order.members],
    }
    keep("answer", found, out=options.out)
    show(Console(highlight=False), rows, noise, len(people))
    return 0


if __name__ == "__main__":
    sys.exit(main())
