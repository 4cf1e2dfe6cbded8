# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Language vectors in fewer bytes: memory, recall and time on one core: ``python -m bench latency vectors``.

The catalogue's own vectors (all-MiniLM-L6-v2, 384 numbers), asked for what is near the mean of three items, as a
person's profile is. Recall is the share of the true ten nearest; times are taken by turns. All forms look at every
row: they save memory, and are what an index's cells or a phone would hold.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench._made import points
from bench._noise import Noise
from bench.latency._turns import by_turns
from bench.quality._command import public
from inkling import datasets
from inkling.compression.quantize import (
    BinaryVectors,
    ExactVectors,
    Int8Vectors,
    QuantizedVectors,
    TruncatedVectors,
)
from inkling.core.arrays import F32
from inkling.encoders.backbone import BackboneEncoder
from inkling.encoders.cache import CachedEncoder
from inkling.kernels.similarity import normalize_rows

TASKS = ("movielens-small", "beauty")
MADE = "made up, 64 numbers"
K, N_QUERIES, OF_THREE = 10, 300, 3
GOAL_RECALL = 0.95
EXACT = "float32"
FORMS: Mapping[str, Callable[[F32], QuantizedVectors]] = {
    EXACT: ExactVectors,
    "int8": Int8Vectors,
    "binary": BinaryVectors,
    "binary, int8 after": lambda v: BinaryVectors(v, exact=Int8Vectors(v)),
    "a quarter, cut": lambda v: TruncatedVectors(v, v.shape[1] // 4, turn=False),
    "a quarter, turned": lambda v: TruncatedVectors(v, v.shape[1] // 4),
    "a quarter, turned, int8 after": lambda v: TruncatedVectors(v, v.shape[1] // 4, exact=Int8Vectors(v)),
    "an eighth, turned, int8 after": lambda v: TruncatedVectors(v, v.shape[1] // 8, exact=Int8Vectors(v)),
}
JUDGED = ("int8", "binary, int8 after", "a quarter, turned, int8 after")
"""The forms whose recall has a goal; the others show what rescoring and turning are worth."""


def catalogue(task: str, options: argparse.Namespace) -> F32:
    """Return the distinct vectors of a catalogue, read once where the environment keeps them."""
    if task == MADE:
        return points(20_000 if options.quick else 200_000, 64, "clustered")
    items = datasets.load(task, public(options.data)).items
    if items is None:
        raise SystemExit(f"'{task}' has no catalogue, so no texts.")
    texts = list(dict.fromkeys(text for text in items.texts() if text))[: 300 if options.quick else None]
    folder = os.environ.get("INKLING_CACHE")
    path = Path(folder) / "vectors-float32.sqlite" if folder else None
    return CachedEncoder(BackboneEncoder(), path=path).encode(texts)


def measured(vectors: F32, options: argparse.Namespace) -> dict[str, Any]:
    """Return memory, recall and durations of every form."""
    rng = np.random.default_rng(0)
    queries = normalize_rows(vectors[rng.integers(0, len(vectors), (N_QUERIES, OF_THREE))].mean(axis=1))
    made = {name: form(vectors) for name, form in FORMS.items()}
    expected, _ = made[EXACT].search(queries, K)
    calls = {name: _asking(one, queries) for name, one in made.items()}
    noise = Noise()
    took = by_turns(calls, rounds=options.rounds, size=10, noise=noise)
    rows: dict[str, Any] = {}
    for name, one in made.items():
        found, _ = one.search(queries, K)
        shared = [np.isin(true, own).mean() for true, own in zip(expected, found, strict=True)]
        rows[name] = {"bytes": one.nbytes, "recall": float(np.mean(shared)), **took[name].row()}
    return {"n": len(vectors), "dim": vectors.shape[1], "machine_factor": noise.factor, "forms": rows}


def _asking(one: QuantizedVectors, queries: F32) -> Callable[[int], object]:
    return lambda n: one.search(queries[n % len(queries)][None], K)


def show(task: str, found: Mapping[str, Any], console: Console) -> dict[str, bool]:
    """Print one table and its verdicts."""
    table = Table(title=f"{task}: {found['n']:,} vectors of {found['dim']} numbers, top {K}")
    for column in ("form", "MB", "of float32", "recall", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if column == "form" else "right")
    rows, reached = found["forms"], {}
    for name, row in rows.items():
        table.add_row(
            name, f"{row['bytes'] / 1e6:.2f}", f"{row['bytes'] / rows[EXACT]['bytes']:.3f}", f"{row['recall']:.3f}",
            f"{row['quiet_p50_us'] / 1000:.3f}", f"{row['quiet_p99_us'] / 1000:.3f}",
        )  # fmt: skip
    console.print(table)
    for name in JUDGED:
        value = rows[name]["recall"]
        reached[f"{task}, {name}"] = value >= GOAL_RECALL
        outcome = "reached" if value >= GOAL_RECALL else "MISSED"
        console.print(f"{task}, {name}: recall at least {GOAL_RECALL}: {value:.3f} {outcome}", highlight=False)
    return reached


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    tasks = (*TASKS, MADE)
    parser = argparse.ArgumentParser(prog="python -m bench latency vectors", description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(tasks), choices=tasks)
    parser.add_argument("--rounds", type=int, default=10, help="blocks of 10 searches (10)")
    parser.add_argument("--quick", action="store_true", help="few vectors, 2 blocks: does it run?")
    parser.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    options.rounds = min(options.rounds, 2) if options.quick else options.rounds
    console = Console(width=120)
    found: dict[str, Any] = {"quick": options.quick, "tasks": {}, "reached": {}}
    for task in options.tasks:
        found["tasks"][task] = measured(catalogue(task, options), options)
        found["reached"] |= show(task, found["tasks"][task], console)
        keep("latency-vectors", found, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
