"""One answer, tuned: sequence model and encoder as int8 on ONNX Runtime, index, trees, variety; one thread."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.latency._columns import columns, various
from bench.latency._world import CANDIDATES, DEPTH, EVENTS, RELEVANCE, World
from bench.latency.peer_tuned.index import opened, tune
from bench.latency.peer_tuned.state import InProcess
from bench.latency.peer_tuned.trees import fastest

_SAMPLE = 200
_LIBRARIES = ("onnxruntime", "faiss-cpu", "numpy", "starlette", "uvicorn")


def session(path: Path) -> Any:
    """Return a model that answers on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Tuned:
    """Answers a person, or a text."""

    def __init__(self, world: World) -> None:
        self.world, self.state = world, InProcess(world)
        self._items = np.ascontiguousarray(world.vectors)
        self._sequence = session(world.folder / "sequence.int8.onnx")
        self._index = opened(self._items, world.folder / "tuned.index")
        sample = np.random.default_rng(1).permutation(world.n_people)[:_SAMPLE]
        people = np.concatenate([self._person(world.history(int(row))[0]) for row in sample])
        self.tuned = tune(self._index, self._items, people, CANDIDATES)
        self.ranker, self._rank, self._took = fastest(world.array("lessons"), world.array("labels"), world.trees)
        self._keep = world.about["seen"] == "keep"
        self._reader = _Reader(world) if world.texts else None

    def about(self) -> dict[str, Any]:
        """Return what was tuned, and the versions."""
        libraries = {name: version(name) for name in (*_LIBRARIES, self.ranker.replace("xgboost", "xgboost-cpu"))}
        return {"libraries": libraries, "ranker": self.ranker, "ranker_us": self._took, **self.tuned}

    def for_person(self, user_id: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores, best first; nothing for whom nothing is known of."""
        return self.after(self.state.last(user_id), k)

    def after(self, past: tuple[Any, Any], k: int) -> list[tuple[str, float]]:
        """Return ids and scores for whoever did so, item rows and times, oldest first."""
        if not len(past[0]):
            return []
        person = self._person(past[0])
        if self._keep:
            _, rows = self._index.search(person, CANDIDATES)
            rows = rows[0]
        else:
            _, rows = self._index.search(person, CANDIDATES + EVENTS)
            rows = rows[0][~np.isin(rows[0], past[0])][:CANDIDATES]
        return self._ordered(rows[rows >= 0], person[0], self._items, past, k)

    def for_text(self, text: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores of items that say what was asked for."""
        assert self._reader is not None
        asked = self._reader.encode(text)
        _, rows = self._reader.index.search(asked, CANDIDATES)
        none = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        return self._ordered(rows[0][rows[0] >= 0], asked[0], self.world.said, none, k)

    def _person(self, rows: Any) -> Any:
        given = {
            "vectors": self._items[rows][None],
            "times": np.zeros((1, len(rows)), dtype=np.int64),
            "lengths": np.array([len(rows)]),
        }
        return self._sequence.run(None, given)[0]

    def _ordered(self, rows: Any, asked: Any, vectors: Any, past: tuple[Any, Any], k: int) -> list[tuple[str, float]]:
        found = vectors[rows]
        scores = self._rank(columns(self.world, rows, found @ asked, past))
        best = np.argsort(-scores)[:DEPTH]
        scores = np.asarray(scores)[best]
        chosen = various(found[best], scores, k, relevance=RELEVANCE)
        ids = self.world.item_ids
        return [(ids[int(rows[best[at]])], float(scores[at])) for at in chosen]


class _Reader:
    """Texts to vectors (1, 384), and the index of what items say."""

    def __init__(self, world: World) -> None:
        from tokenizers import Tokenizer

        folder = Path(world.about["encoder"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(256)
        self._model = session(folder / "model.onnx")
        self._inputs = [given.name for given in self._model.get_inputs()]
        self.index = opened(np.ascontiguousarray(world.said), world.folder / "tuned.said.index")

    def encode(self, text: str) -> Any:
        read = self._tokenizer.encode(text)
        given = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
        arrays = {name: np.array([given[name]], dtype=np.int64) for name in self._inputs}
        return np.ascontiguousarray(self._model.run(None, arrays)[0], dtype=np.float32)
