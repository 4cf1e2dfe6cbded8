"""A bundle of the pipeline ``lean`` with as many made-up items and people as wanted; small parts of it are trained.

The network, the ranker and its curve are those of a fit on a small made-up shop. The items' vectors are then replaced
by made-up ones in clusters, and people's histories are walks among neighbours: what an answer costs depends on the
numbers' sizes and places, not on where they came from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from bench._made import START_MS, made, points
from inkling.core.arrays import F32, I32
from inkling.core.config import parse
from inkling.core.dataset import Dataset, Interactions
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary
from inkling.engine.bundle import Bundle
from inkling.engine.pipeline import PipelineState
from inkling.engine.pipelines.lean import Lean, LeanConfig

DIM, EVENTS, HOUR_MS = 64, 50, 3_600_000
SCENARIO = Scenario(name="made", positive={"purchase": 1.0}, seen="drop", pipeline="lean")


def taught(*, epochs: int = 2) -> Lean:
    """Return ``lean`` fitted on a small made-up shop, with a network of 64 numbers and a small ranker."""
    small = replace(made(3000, 2000, 60_000), scenario=SCENARIO)
    settings = {
        "retriever": {"retriever": "sasrec", "settings": {"dim": DIM, "epochs": epochs}},
        "order": "mimic",
        "n_windows": 1,
        "diversity": 0.1,
    }
    return Lean(parse(LeanConfig, settings, where="bench"), SCENARIO).fit(small, Run())


def big_bundle(n_items: int, n_people: int, *, seed: int = 0) -> Bundle:
    """Return a bundle of so many items in clusters and people with 50 events each."""
    state = taught().save()
    vectors = points(n_items, DIM, "clustered", seed=seed)
    rows = walks(vectors, n_people, seed=seed)
    base = _base(rows, n_items)
    rng = np.random.default_rng(seed)
    model: dict[str, Any] = {
        **state.arrays["model"],
        "ids": vectors.astype(np.float16),
        "known": np.ones(n_items, dtype=np.bool_),
    }
    popular = {"amounts": rng.zipf(1.5, n_items).clip(max=10_000).astype(np.float64), "start": np.array([base.until])}
    arrays = {**state.arrays, "model": model, "popular": popular}
    return Bundle("big", "lean", SCENARIO, PipelineState(state.settings, arrays), base)


def walks(vectors: F32, n_people: int, *, seed: int = 0) -> I32:
    """Return (n_people, 50) items: each person has some places, and takes what lies near them among a sample."""
    rng = np.random.default_rng((seed, 5))
    sample = np.sort(rng.permutation(len(vectors))[:20_000])
    near = vectors[sample]
    out = np.empty((n_people, EVENTS), dtype=np.int32)
    for person in range(n_people):
        places = near[rng.integers(0, len(sample), 3)] @ near.T
        best = np.argpartition(-places, 120, axis=1)[:, :120]
        out[person] = sample[best[rng.integers(0, 3, EVENTS), rng.integers(0, 120, EVENTS)]]
    return out


def _base(rows: I32, n_items: int) -> Dataset:
    n_people, n = len(rows), rows.size
    ts = START_MS + np.tile(np.arange(EVENTS) * HOUR_MS, n_people).astype(np.int64)
    order = np.argsort(ts, kind="stable")
    people = np.repeat(np.arange(n_people, dtype=np.int32), EVENTS)
    events = Interactions(
        user_rows=people[order],
        item_rows=rows.reshape(-1)[order],
        ts=ts[order],
        weights=np.ones(n, dtype=np.float32),
        positive=np.ones(n, dtype=np.bool_),
        events=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        session_rows=np.full(n, -1, dtype=np.int32),
        event_names=("purchase",),
    )
    ids = [f"i{row}" for row in range(n_items)]
    return Dataset(
        interactions=events,
        user_ids=Vocabulary([f"u{row}" for row in range(n_people)]),
        item_ids=Vocabulary(ids),
        scenario=SCENARIO,
        items=Items(pl.DataFrame({"item_id": ids})),
        known_items=np.ones(n_items, dtype=np.bool_),
        until=int(ts.max()),
    )
