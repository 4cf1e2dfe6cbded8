"""A world as bundles of ours: the same vectors, sequence model, people and lessons in the pipeline ``lean``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.latency._world import CANDIDATES, RELEVANCE, World
from inkling.core.config import to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary
from inkling.engine.bundle import Bundle
from inkling.engine.order import new_ranker
from inkling.engine.pipeline import PipelineState
from inkling.engine.pipelines.lean import Lean, LeanConfig
from inkling.engine.recall import MemberConfig
from inkling.ranking.base import RankingSet
from inkling.retrieval._sequence import WEIGHTS

ORDERS = ("mimic", "gbdt")
"""A small network, and trees of the peers' size."""
_LESSON_PEOPLE = 200


def bundle_of(world: World, order: str, *, out: Path) -> Path:
    """Return the folder of the world's bundle with one of the orders, made where it is missing."""
    folder = out / f"bundle-{order}-{world.folder.name}"
    if not folder.is_dir():
        data = dataset_of(world)
        Bundle.of(_lean(world, data, order), data, data.scenario, reflects=0).write(folder)
    return folder


def dataset_of(world: World) -> Dataset:
    """Return items, people and events of a world, sorted by time."""
    import polars as pl

    offsets, rows, times = world.histories
    order = np.argsort(times, kind="stable")
    people = np.repeat(np.arange(world.n_people, dtype=np.int32), np.diff(offsets))[order]
    n = len(order)
    frame = pl.DataFrame({"item_id": world.item_ids, "price": world.table[:, -1].astype(np.float32)})
    kinds = pl.Series("categories", [[f"kind {kind}"] for kind in world.kinds.tolist()])
    return Dataset(
        interactions=Interactions(
            user_rows=people,
            item_rows=rows[order].astype(np.int32),
            ts=times[order].astype(np.int64),
            weights=np.ones(n, dtype=np.float32),
            positive=np.ones(n, dtype=np.bool_),
            events=np.zeros(n, dtype=np.int16),
            values=np.full(n, np.nan, dtype=np.float32),
            session_rows=np.full(n, -1, dtype=np.int32),
            event_names=("interaction",),
        ),
        user_ids=Vocabulary(world.user_ids),
        item_ids=Vocabulary(world.item_ids),
        scenario=Scenario(seen=world.about["seen"]),
        items=Items(frame.with_columns(kinds)),
        known_items=np.ones(world.n_items, dtype=np.bool_),
        until=world.now,
    )


def sequence_state(world: World) -> dict[str, Any]:
    """Return the world's sequence model as the state of ``sasrec``: int8 as the tuned peer has it, and the weights."""
    graph = np.frombuffer((world.folder / "sequence.int8.onnx").read_bytes(), dtype=np.uint8)
    known = np.ones(world.n_items, dtype=np.bool_)
    with np.load(world.folder / "sequence.npz", allow_pickle=False) as kept:
        weights = {WEIGHTS + name: kept[name] for name in kept.files if name != "table.ids"}
    ids = world.vectors.astype(np.float16)
    return {"graph": graph, "ids": ids, "known": known, "timed": np.array([False]), **weights}


def _lean(world: World, data: Dataset, order: str) -> Lean:
    """Return the pipeline with the world's model, its popularity, and an order that learned from some people."""
    about = world.about
    shape = {"dim": about["dim"], "blocks": about["blocks"], "heads": about["heads"], "text": "off"}
    config = LeanConfig(
        retriever=MemberConfig(retriever="sasrec", settings=shape),
        n_candidates=CANDIDATES,
        order="gbdt" if order == "gbdt" else "mimic",
        diversity=round(1 - RELEVANCE, 3),
    )
    popular = {"amounts": np.expm1(world.table[:, 1].astype(np.float64)), "start": np.array([world.now])}
    bare = Lean(config, data.scenario).save()
    arrays = {"model": sequence_state(world), "popular": popular}
    plain = {**bare.settings, "config": to_dict(config), "order": "fused"}
    made = Lean(config, data.scenario).load(PipelineState(plain, arrays))
    arrays = {**arrays, "ranker": _taught(made, world, data, order)}
    return Lean(config, data.scenario).load(PipelineState({**plain, "order": order}, arrays))


def _taught(pipeline: Lean, world: World, data: Dataset, order: str) -> Any:
    """Return a ranker that learned from some people's candidates: what is near the last event is taken more often."""
    rng = np.random.default_rng(7)
    people = np.sort(rng.permutation(world.n_people)[:_LESSON_PEOPLE]).astype(np.int32)
    query = data.query(people)
    items = pipeline._recall.candidates(query, CANDIDATES)
    near = np.nan_to_num(items.fields["near_last"])
    labels = (rng.random(len(near)) < 1 / (1 + np.exp(3 - 4 * near))).astype(np.float32)
    ranker = new_ranker(order, world.about["trees"] if order == "gbdt" else {})
    return ranker.fit(RankingSet(query, items, labels), Run(seed=0)).state()
