# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""The whole catalogue of Beauty (12,101 titles) read by the default encoder: seconds on two cores, and on one.

Titles alone are what the goal speaks of; whole texts (title, categories, description), which a fit reads, stand beside
them. Times are of the wall and of the processor: where the second is far below the first times the cores, other work
had the machine. Nothing is taken from a cache.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from inkling import datasets
from inkling.core.tables import item_text
from inkling.encoders import open_encoder

GOAL_S, GOAL_THREADS = 60.0, 2
ENCODER = "auto"
KINDS = ("titles", "whole texts")
QUICK = 500


def texts_of(data: str, kind: str, root: Path | None) -> list[str]:
    """Return what is read of each item."""
    items = datasets.load(data, root).items
    if items is None:
        raise SystemExit(f"'{data}' has no catalogue, so no texts.")
    return [item_text([title]) for title in items.frame["title"].to_list()] if kind == "titles" else items.texts()


def one(texts: list[str], source: str, n_threads: int) -> dict[str, Any]:
    """Return what reading all of the texts costs; the model is loaded before."""
    encoder = open_encoder(source, n_threads=n_threads)
    encoder.encode(["red mug"])
    wall, processor = time.perf_counter(), time.process_time()
    vectors = encoder.encode(texts)
    seconds, busy = time.perf_counter() - wall, time.process_time() - processor
    return {
        "n": len(texts),
        "dim": encoder.dim,
        "seconds": seconds,
        "processor_s": busy,
        "texts_per_s": len(texts) / seconds,
        "empty": int((~vectors.any(axis=1)).sum()),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.encode", description=__doc__.split("\n\n")[0])
    parser.add_argument("--name", default="beauty", help="data set (beauty)")
    parser.add_argument("--encoder", default=ENCODER, help=f"a registered name, a folder or a hub's name ({ENCODER})")
    parser.add_argument("--threads", default="2,1", help="by comma (2,1)")
    parser.add_argument("--seeds", default="0,1,2", help="how often, by comma: the median counts (0,1,2)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} texts, once: does it run?")
    parser.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    rounds = 1 if told.quick else len(told.seeds.split(","))
    console, found = Console(width=120), []
    for kind in KINDS:
        texts = texts_of(told.name, kind, told.data)[: QUICK if told.quick else None]
        for n_threads in map(int, told.threads.split(",")):
            runs = sorted((one(texts, told.encoder, n_threads) for _ in range(rounds)), key=lambda run: run["seconds"])
            found.append({"texts": kind, "threads": n_threads, "rounds": rounds, **runs[len(runs) // 2]})
            keep("language-encode", {"encoder": told.encoder, "quick": told.quick, "found": found}, out=told.out)
    show(found, console, quick=told.quick)
    return 0


def show(found: list[dict[str, Any]], console: Console, *, quick: bool) -> None:
    """Print the table and the verdict."""
    table = Table(title="A catalogue read by the default encoder")
    for name in ("texts", "n", "threads", "seconds", "processor s", "texts/s"):
        table.add_column(name, justify="left" if name == "texts" else "right", no_wrap=True)
    for row in found:
        cells = (f"{row['n']:,}", str(row["threads"]), f"{row['seconds']:.1f}", f"{row['processor_s']:.1f}")
        table.add_row(row["texts"], *cells, f"{row['texts_per_s']:,.0f}")
    console.print(table)
    if quick:
        return
    mine = [row["seconds"] for row in found if row["texts"] == "titles" and row["threads"] == GOAL_THREADS]
    for seconds in mine:
        outcome = "reached" if seconds <= GOAL_S else "MISSED"
        console.print(f"titles on {GOAL_THREADS} cores in up to {GOAL_S:.0f} s: {seconds:.1f} s, {outcome}")


if __name__ == "__main__":
    raise SystemExit(main())
