"""One answer from parts as their documentation shows them: torch, a flat index, LightGBM. One thread throughout."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import faiss
import lightgbm
import numpy as np
import torch

from bench.latency._columns import columns, various
from bench.latency._world import CANDIDATES, DEPTH, EVENTS, RELEVANCE, World
from inkling.training.nets.ligr import Ligr

_LIBRARIES = ("torch", "sentence-transformers", "faiss-cpu", "lightgbm", "fastapi", "uvicorn")


class State(Protocol):
    """Where the last events of people are."""

    def last(self, user_id: str) -> list[tuple[int, int]]:
        """Return (item row, time) of a person's last events, oldest first."""

    def add(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Take in (person, item row, time)."""


class InProcess:
    """A dictionary of deques; nothing survives the process."""

    def __init__(self, world: World) -> None:
        self._past = {user_id: deque(pairs(world, row), maxlen=EVENTS) for row, user_id in enumerate(world.user_ids)}

    def last(self, user_id: str) -> list[tuple[int, int]]:
        """Return (item row, time), oldest first."""
        return list(self._past.get(user_id, ()))

    def add(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Take in (person, item row, time)."""
        for user_id, item, ts in events:
            self._past.setdefault(user_id, deque(maxlen=EVENTS)).append((item, ts))


class InRedis:
    """A list of JSON strings for each person."""

    def __init__(self, url: str) -> None:
        import redis

        self._redis = redis.Redis.from_url(url, decode_responses=True)

    def fill(self, world: World) -> None:
        """Write everyone's events; what was there goes."""
        self._redis.flushall()
        pipe = self._redis.pipeline()
        for row, user_id in enumerate(world.user_ids):
            if packed := [json.dumps(pair) for pair in pairs(world, row)]:
                pipe.rpush(f"user:{user_id}", *packed)
        pipe.execute()

    def last(self, user_id: str) -> list[tuple[int, int]]:
        """Return (item row, time), oldest first."""
        return [tuple(json.loads(packed)) for packed in self._redis.lrange(f"user:{user_id}", -EVENTS, -1)]

    def add(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Take in (person, item row, time)."""
        pipe = self._redis.pipeline()
        for user_id, item, ts in events:
            pipe.rpush(f"user:{user_id}", json.dumps([item, ts]))
            pipe.ltrim(f"user:{user_id}", -EVENTS, -1)
        pipe.execute()


def pairs(world: World, row: int) -> list[tuple[int, int]]:
    """Return (item row, time) of a person's events in the world, oldest first."""
    rows, times = world.history(row)
    return list(zip(rows.tolist(), times.tolist(), strict=True))


class Assembled:
    """Answers a person, or a text."""

    def __init__(self, world: World, state: State | None = None) -> None:
        torch.set_num_threads(1)
        faiss.omp_set_num_threads(1)
        self.world, self.state = world, state or InProcess(world)
        self._network = _network(world)
        self._index = _flat(world.vectors)
        trees, leaves, rate = world.trees
        settings = {"objective": "binary", "num_leaves": leaves, "learning_rate": rate, "num_threads": 1, "verbose": -1}
        lessons = lightgbm.Dataset(world.array("lessons"), world.array("labels"))
        self._ranker = lightgbm.train(settings, lessons, trees)
        self._keep = world.about["seen"] == "keep"
        if world.texts:
            from sentence_transformers import SentenceTransformer

            self._reader = SentenceTransformer(world.about["sentence_model"], device="cpu")
            self._said = _flat(world.said)

    def about(self) -> dict[str, Any]:
        """Return the versions."""
        return {"libraries": {name: version(name) for name in _LIBRARIES}, "recall": 1.0, "ranker": "lightgbm"}

    def for_person(self, user_id: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores, best first; nothing for whom nothing is known of."""
        past = self.state.last(user_id)
        if not past:
            return []
        had, times = np.array([item for item, _ in past]), np.array([ts for _, ts in past])
        person = self._person(had)
        rows = self._index.search(person, CANDIDATES + (0 if self._keep else EVENTS))[1][0]
        if not self._keep:
            rows = rows[~np.isin(rows, had)][:CANDIDATES]
        return self._ordered(rows[rows >= 0], person[0], self.world.vectors, (had, times), k)

    def for_text(self, text: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores of items that say what was asked for."""
        asked = self._reader.encode([text], normalize_embeddings=True, show_progress_bar=False)
        rows = self._said.search(asked, CANDIDATES)[1][0]
        return self._ordered(rows[rows >= 0], asked[0], self.world.said, (np.empty(0, int), np.empty(0, int)), k)

    def _person(self, had: Any) -> Any:
        with torch.inference_mode():
            given = torch.from_numpy(self.world.vectors[had])[None] * self.world.vectors.shape[1] ** 0.5
            n = torch.tensor([len(had)])
            hidden = self._network.last(given, torch.zeros(1, len(had), dtype=torch.int64), n)
            return torch.nn.functional.normalize(hidden, dim=-1).numpy()

    def _ordered(self, rows: Any, asked: Any, vectors: Any, past: tuple[Any, Any], k: int) -> list[tuple[str, float]]:
        found = vectors[rows]
        scores = self._ranker.predict(columns(self.world, rows, found @ asked, past))
        best = np.argsort(-scores)[:DEPTH]
        chosen = various(found[best], scores[best], k, relevance=RELEVANCE)
        return [(self.world.item_ids[rows[best[at]]], float(scores[best[at]])) for at in chosen]


def _network(world: World) -> Any:
    about = world.about
    network = Ligr(about["dim"], blocks=about["blocks"], heads=about["heads"]).eval()
    with np.load(Path(world.folder) / "sequence.npz", allow_pickle=False) as weights:
        network.load_state_dict(
            {
                name.removeprefix("body."): torch.from_numpy(weights[name])
                for name in weights.files
                if name.startswith("body.")
            }
        )
    return network


def _flat(vectors: Any) -> Any:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return index
