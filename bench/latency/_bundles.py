"""A world as a bundle of ours: the same vectors, sequence model, people and lessons, in a pipeline that is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.latency._world import CANDIDATES, RELEVANCE, World
from inkling.core.candidates import Candidates
from inkling.core.config import to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary
from inkling.engine.bundle import Bundle
from inkling.engine.near import near_fields
from inkling.engine.order import new_ranker
from inkling.engine.pipeline import PipelineState
from inkling.engine.pipelines.default import Default, DefaultConfig
from inkling.engine.ranks import ranked_fields
from inkling.engine.recall import OPINION, MemberConfig
from inkling.engine.weights import Weights
from inkling.features.table import FeatureTable
from inkling.ranking.base import RankingSet
from inkling.retrieval.semantic import Semantic, SemanticConfig

TREES = {"trees": 60, "learning_rate": 0.1, "leaves": 16}
_LESSON_PEOPLE = 200
_SEQUENCE = "sequence"


def bundle_of(world: World, *, out: Path) -> Path:
    """Return the folder of the world's bundle, made where it is missing."""
    folder = out / f"bundle-{world.folder.name}"
    if not folder.is_dir():
        data = dataset_of(world)
        Bundle.of(_default(world, data), data, data.scenario, reflects=0).write(folder)
    return folder


def dataset_of(world: World) -> Dataset:
    """Return items, people and events of a world, sorted by time."""
    import polars as pl

    offsets, rows, times = world.histories
    order = np.argsort(times, kind="stable")
    people = np.repeat(np.arange(world.n_people, dtype=np.int32), np.diff(offsets))[order]
    n = len(order)
    item_ids = Vocabulary(world.item_ids)
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
        item_ids=item_ids,
        scenario=Scenario(seen=world.about["seen"]),
        items=Items(frame.with_columns(kinds)),
        known_items=np.ones(world.n_items, dtype=np.bool_),
        until=world.now,
    )


def sequence_state(world: World) -> dict[str, Any]:
    """Return the world's sequence model as the state of ``sasrec``."""
    graph = np.frombuffer((world.folder / "sequence.int8.onnx").read_bytes(), dtype=np.uint8)
    known = np.ones(world.n_items, dtype=np.bool_)
    return {"graph": graph, "ids": world.vectors.astype(np.float16), "known": known, "timed": np.array([False])}


def _default(world: World, data: Dataset) -> Default:
    """Return the default pipeline with the sequence model as its one member, trees, and variety."""
    about = world.about
    shape = {"dim": about["dim"], "blocks": about["blocks"], "heads": about["heads"], "text": "off"}
    members = {_SEQUENCE: MemberConfig(retriever="sasrec", settings=shape, k=CANDIDATES)}
    config = DefaultConfig(
        members=members, n_candidates=CANDIDATES, order="gbdt", gbdt=TREES, encoder="hashing",
        diversity=1 - RELEVANCE, keep_always=(), sentences=0,
    )  # fmt: skip
    made, features = Default(config, data.scenario), FeatureTable(config.features).fit(data)
    near = Semantic(SemanticConfig(encoder=config.encoder))
    near.put_items(np.arange(world.n_items, dtype=np.int32), world.vectors)
    saved = made.save()
    arrays = dict(saved.arrays) | {
        f"member.{_SEQUENCE}": sequence_state(world),
        "features": features.state(),
        "said": near.state(),
        "ranker": _ranker(world, data, features),
    }
    settings = {
        **saved.settings,
        "config": to_dict(config),
        "order": "gbdt",
        "weights": Weights({_SEQUENCE: 1.0}).to_builtins(),
    }
    return made.load(PipelineState(settings, arrays, saved.files))


def _ranker(world: World, data: Dataset, features: FeatureTable) -> Any:
    """Return trees that learned from some people's candidates: what is near and recent is taken more often."""
    rng = np.random.default_rng(7)
    people = np.sort(rng.permutation(world.n_people)[:_LESSON_PEOPLE]).astype(np.int32)
    query = data.query(people)
    rows, scores = zip(*(_candidates(world, int(person)) for person in people), strict=True)
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in rows])]).astype(np.int64)
    flat, says = np.concatenate(rows).astype(np.int32), np.concatenate(scores).astype(np.float32)
    items = Candidates.of(offsets, flat, says, source=_SEQUENCE).with_fields({OPINION + _SEQUENCE: says})
    items = ranked_fields(near_fields(world.vectors, query, features.compute(query, items)))
    labels = (rng.random(len(flat)) < 1 / (1 + np.exp(3 - 4 * items.fields["near_best"]))).astype(np.float32)
    return new_ranker("gbdt", TREES).fit(RankingSet(query, items, labels), Run(seed=0)).state()


def _candidates(world: World, person: int) -> tuple[Any, Any]:
    had, _ = world.history(person)
    scores = world.vectors @ world.vectors[had[-1]]
    best = np.argpartition(-scores, min(CANDIDATES, len(scores) - 1))[:CANDIDATES]
    best = best[np.argsort(-scores[best])]
    return best, np.exp(scores[best] - 1)
