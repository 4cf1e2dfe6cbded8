# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""One whole answer in process among a million items: ``python -m bench latency answer``.

``lean``: a sequence model of 64 numbers reads the person's 50 events, an index finds 200 of the items, a small network
ranks them, variety is sought, k are told. People are all different. Beside it, by turns, the same parts alone. The
goals are medians of .5 ms and a 99th percentile of 2 ms in the quietest block, beside a fixed piece of work.
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

from bench._noise import Noise
from bench.latency._big import big_bundle
from bench.latency._turns import by_turns, resident_mb, told
from inkling.engine.engine import LocalEngine
from inkling.engine.pipelines.lean import Lean
from inkling.stores.address import open_log

GOAL_P50_MS, GOAL_P99_MS = 0.5, 2.0
SIZE = 100


def measure(engine: LocalEngine, n_people: int, *, rounds: int, k: int) -> dict[str, Any]:
    """Return durations of whole answers and of their stages, and how slow the machine was meanwhile."""
    noise, stages = Noise(), {}
    people = np.random.default_rng(0).permutation(n_people)

    def whole(number: int) -> object:
        answer = engine.recommend(f"u{people[number % n_people]}", k=k)
        for stage, ms in answer.timings_ms.items():
            stages.setdefault(stage, []).append(1000 * ms)
        return answer

    took = by_turns({"answer": whole}, rounds=rounds, size=SIZE, noise=noise)
    best = {name: float(np.percentile(us, 10)) for name, us in stages.items()}
    return {"took": took["answer"].row(), "stages_p10_us": best, "machine": noise.summary(), "factor": noise.factor}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench latency answer", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="how many items (1,000,000)")
    parser.add_argument("--people", type=int, default=3000, help="how many different people ask (3,000)")
    parser.add_argument("--rounds", type=int, default=30, help="blocks of 100 answers (30)")
    parser.add_argument("-k", type=int, default=10, help="length of an answer (10)")
    parser.add_argument("--quick", action="store_true", help="60,000 items: shows that it runs")
    parser.add_argument("--data", default=None, help="not needed: everything is made up")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    if options.quick:
        options.items, options.people, options.rounds = 60_000, 300, 4
    print(f"Making {options.items:,} items and {options.people:,} people ...", flush=True)
    bundle = big_bundle(options.items, options.people)
    begin = time.perf_counter()
    with LocalEngine(open_log("memory://"), bundle=bundle) as engine:
        assert isinstance(engine.pipeline, Lean)
        engine.pipeline.wait()
        ready_s, memory = time.perf_counter() - begin, resident_mb()
        print(f"Ready after {ready_s:.0f} s, {memory:.0f} MB resident.", flush=True)
        measure(engine, options.people, rounds=2, k=options.k)
        found = measure(engine, options.people, rounds=options.rounds, k=options.k)
    row = found["took"]
    print(f"{'':<24}{'p50 us':>10}{'p99 us':>10}")
    print(f"{'answer, all blocks':<24}{row['p50_us']:>10,.0f}{row['p99_us']:>10,.0f}")
    print(f"{'answer, quietest block':<24}{row['quiet_p50_us']:>10,.0f}{row['quiet_p99_us']:>10,.0f}")
    for stage, us in found["stages_p10_us"].items():
        print(f"  {stage:<22}{us:>10,.0f}  (its 10th percentile)")
    print(f"machine factor {found['factor']:.2f}: the fixed work's median over its best")
    found["reached"] = told(
        [
            ("answer, p50", row["quiet_p50_us"] / 1000, GOAL_P50_MS, "ms"),
            ("answer, p99", row["quiet_p99_us"] / 1000, GOAL_P99_MS, "ms"),
        ]
    )
    found |= {"n_items": options.items, "ready_s": ready_s, "resident_mb": memory, "k": options.k}
    print(f"kept in {keep('latency-answer', found, out=options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
