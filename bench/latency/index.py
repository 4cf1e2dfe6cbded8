# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""A million vectors searched on one thread while they change: ``python -m bench latency index``.

Made-up vectors of 64 numbers: in clusters, and one cloud whose directions matter less and less (``--kinds sphere``
adds what no data are: nothing near to anything; it has no goal). A table keeps them as codes alone (the goal of
100 MB) or beside the vectors themselves, which then settle the order. Recall is counted on queries that the tuning
never saw, against looking at all. Beside the table, by turns: numpy's exact scan, and faiss flat.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import gc
import importlib
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench._made import points
from bench._noise import Noise
from bench.latency._turns import by_turns, resident_mb, told
from inkling.core.arrays import F32
from inkling.kernels.topk import topk
from inkling.stores.vectors import VectorTable

DIM, K, N_QUERIES = 64, 100, 400
GOAL_MS = {"clustered": 0.2, "unclustered": 0.8}
GOAL_RECALL, GOAL_MB, GOAL_VISIBLE_MS = 0.95, 100.0, 1.0
KINDS = ("clustered", "unclustered", "sphere")


def filled(vectors: F32, how: Literal["vectors", "codes"], *, recall: float) -> tuple[VectorTable, float]:
    """Return a table of the vectors, indexed, and the seconds that it took."""
    begin = time.perf_counter()
    table = VectorTable(vectors.shape[1], exact_up_to=min(50_000, len(vectors) // 2), recall=recall, keep=how)
    table.put(np.arange(len(vectors), dtype=np.int32), vectors)
    table.wait()
    return table, time.perf_counter() - begin


def measured(kind: str, how: Literal["vectors", "codes"], options: argparse.Namespace) -> dict[str, Any]:
    """Return memory, recall and durations of one kind of vectors, kept one way."""
    vectors, queries = points(options.items, DIM, kind), points(N_QUERIES, DIM, kind, seed=1)
    filled(vectors[:3000], how, recall=options.recall)  # libraries, and the room that they keep for their work
    gc.collect()
    before = resident_mb()
    table, build_s = filled(vectors, how, recall=options.recall)
    gc.collect()
    memory = resident_mb() - before
    index = table.index
    assert index is not None
    truth = [topk(vectors @ query, K)[0] for query in queries]
    found = [table.top(query[None], K)[0][0] for query in queries]
    recall = float(np.mean([np.isin(true, own).mean() for true, own in zip(truth, found, strict=True)]))
    noise = Noise()
    calls: dict[str, Any] = {"table": lambda n: table.top(queries[n % N_QUERIES][None], K)}
    if how == "vectors":
        calls["numpy, all of them"] = lambda n: topk(vectors @ queries[n % N_QUERIES], K)
        calls["faiss flat"] = _flat(vectors, queries)
    took = by_turns(calls, rounds=options.rounds, size=40, noise=noise)
    rows = {name: one.row() for name, one in took.items()}
    for name, row in rows.items():
        print(f"  {name:<22}" + "".join(f"{key} {value:>9,.0f}  " for key, value in row.items()), flush=True)
    return {
        "recall": recall,
        "cells": index.n_cells,
        "widths": list(index.widths),
        "build_s": build_s,
        "mb": memory,
        "took": rows,
        "machine_factor": noise.factor,
        **changing(table, queries, len(vectors)),
    }


def _flat(vectors: F32, queries: F32) -> Any:
    flat = importlib.import_module("faiss").IndexFlatIP(DIM)
    flat.add(vectors)
    return lambda n: flat.search(queries[n % N_QUERIES][None], K)


def changing(table: VectorTable, queries: F32, n: int) -> dict[str, Any]:
    """Return how soon a new item is found, and what searches take while others write."""
    visible = []
    for at in range(200):
        row = np.array([n + at], dtype=np.int32)
        begin = time.perf_counter()
        table.put(row, queries[at % N_QUERIES][None])
        found = table.top(queries[at % N_QUERIES][None], K)[0]
        visible.append((time.perf_counter() - begin) * 1000)
        assert row[0] in found
    torn = wrong = 0
    took = []
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(table, n, stop))
    writer.start()
    until, at = time.monotonic() + 3.0, 0
    while time.monotonic() < until:
        begin = time.perf_counter()
        rows, scores = table.top(queries[at % N_QUERIES][None], K)
        took.append((time.perf_counter() - begin) * 1000)
        torn += int((np.diff(scores[0]) > 0).any() or not np.isfinite(scores).all())
        wrong += int(len(np.unique(rows)) != K)
        at += 1
    stop.set()
    writer.join()
    table.wait()
    return {
        "visible_ms": {
            "p50": float(np.median(visible)),
            "p99": float(np.percentile(visible, 99)),
            "quiet": min(float(np.percentile(visible[at : at + 20], 90)) for at in range(0, len(visible), 20)),
        },
        "beside_a_writer_ms": {"p50": float(np.median(took)), "p99": float(np.percentile(took, 99))},
        "torn": torn,
        "twice": wrong,
    }


def _write(table: VectorTable, n: int, stop: threading.Event) -> None:
    rng = np.random.default_rng(0)
    while not stop.is_set():
        rows = rng.integers(0, n, 5).astype(np.int32)
        table.put(rows, points(5, DIM, "unclustered", seed=int(rows[0])))
        table.delete(rng.integers(0, n, 2).astype(np.int32))
        stop.wait(0.002)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench latency index", description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000, help="how many vectors (1,000,000)")
    parser.add_argument("--recall", type=float, default=GOAL_RECALL, help="what the width is tuned to (.95)")
    parser.add_argument("--rounds", type=int, default=10, help="blocks of 40 searches (10)")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS[:2]), choices=KINDS)
    parser.add_argument("--quick", action="store_true", help="60,000 vectors: shows that it runs")
    parser.add_argument("--data", default=None, help="not needed: the vectors are made up")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    if options.quick:
        options.items, options.rounds = 60_000, 2
    found: dict[str, Any] = {"n_items": options.items, "dim": DIM, "k": K}
    goals: list[tuple[str, float, float, str]] = []
    for kind in options.kinds:
        for how in ("codes", "vectors"):
            print(f"{kind}, kept as {how}", flush=True)
            one = found[f"{kind}, {how}"] = measured(kind, how, options)
            keep("latency-index", found, out=options.out)
            goals += _goals(kind, how, one)
            print("  " + ", ".join(f"{name} {one[name]}" for name in ("recall", "widths", "build_s", "mb")), flush=True)
    print(f"\n{options.items:,} vectors, one thread, top {K}; durations in the quietest block")
    found["reached"] = told(goals)
    print(f"kept in {keep('latency-index', found, out=options.out)}")
    return 0


def _goals(kind: str, how: str, one: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    name = f"{kind}, {how}"
    goals = [
        (f"{name}: search", one["took"]["table"]["quiet_p50_us"] / 1000, GOAL_MS.get(kind, float("inf")), "ms"),
        (f"{name}: missed of the true {K}", 1 - one["recall"], round(1 - GOAL_RECALL, 6), ""),
        (f"{name}: new item written and found, p90", one["visible_ms"]["quiet"], GOAL_VISIBLE_MS, "ms"),
        (f"{name}: torn answers", float(one["torn"] + one["twice"]), 0.0, ""),
    ]
    return [*goals, (f"{name}: memory", one["mb"], GOAL_MB, "MB")] if how == "codes" else goals


if __name__ == "__main__":
    sys.exit(main())
