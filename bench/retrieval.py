# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What one answer and one fit of each retriever cost, on one core: ``python -m bench.retrieval [name ...]``.

The bundled shop (some 4 thousand items), one person at a time with their last 100 events. Times are of the processor,
so that other work on the machine counts little: ``scores`` of the whole catalogue, and ``retrieve`` of the best 200.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Cleaning, Scenario
from inkling.datasets.catalog import load
from inkling.events.build import build_dataset
from inkling.events.clean import clean_part, clean_rows
from inkling.retrieval import build

N_PEOPLE, N_EVENTS, K = 200, 100, 200
MODELS: dict[str, dict[str, Any]] = {
    "popular": {},
    "popular by country": {"by": "country"},
    "repeat": {},
    "repeat due": {"due": 1.0},
    "markov": {},
    "itemknn": {},
    "itemknn bm25": {"weighting": "bm25"},
    "ease": {},
    "ease top 200": {"neighbours": 200},
    "forward": {},
    "forward top 200": {"neighbours": 200},
    "semantic": {"encoder": "hashing"},
    "semantic 128": {"encoder": "hashing", "dim": 128},
    "fuse": {},
}


def shop() -> Dataset:
    """Return the bundled shop's data, cleaned."""
    scenario = Scenario(
        positive={"purchase": 1.0}, seen="keep", context=("country",), cleaning=Cleaning(item_pattern=r"\d.*")
    )
    folder = load("online-retail")
    events, _ = clean_rows(folder.events, scenario)
    events, _ = clean_part(events, scenario)
    return build_dataset(events, scenario, items=folder.items)


def questions(data: Dataset) -> list[Query]:
    """Return questions of one person each, of people with many events."""
    n_events = np.bincount(data.interactions.user_rows, minlength=data.n_users)
    people = np.argsort(-n_events, kind="stable")[:N_PEOPLE].astype(np.int32)
    together = data.query(people, max_events=N_EVENTS)
    return [together.take([person]) for person in range(N_PEOPLE)]


def median_us(call: Callable[[Query], object], asked: Sequence[Query]) -> float:
    """Return the median over questions of the best of three, in microseconds of processor time."""
    best = []
    for query in asked:
        times = []
        for _ in range(3):
            start = time.thread_time_ns()
            call(query)
            times.append(time.thread_time_ns() - start)
        best.append(min(times))
    return float(np.median(best)) / 1000


def main(names: Sequence[str]) -> None:
    data = shop()
    asked = questions(data)
    print(f"{len(data.interactions):,} events, {data.n_items:,} items, histories of {N_EVENTS} events")
    print(f"{'model':20} {'fit s':>7} {'scores us':>10} {'retrieve us':>12} {'state MB':>9}")
    for label, settings in MODELS.items():
        name = label.split()[0]
        if names and name not in names:
            continue
        start = time.process_time()
        model = build(name, settings).fit(data, Run())
        fit_s = time.process_time() - start
        scores, found = median_us(model.scores, asked), median_us(partial(model.retrieve, k=K), asked)
        size = sum(array.nbytes for array in model.state().values()) / 1e6
        print(f"{label:20} {fit_s:7.2f} {scores:10.0f} {found:12.0f} {size:9.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
