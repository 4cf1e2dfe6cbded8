"""People and items as vectors from two towers: what an item is, and what a person had and is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._attributes import hashed
from inkling.retrieval._dense import retrieve
from inkling.retrieval._factors import Factors
from inkling.retrieval._matrix import signals
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval._taste import AtLeastZero, Positive, Share
from inkling.retrieval._windows import Windows, latest
from inkling.training.extra import need_torch

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
_BLOCK = 8_192  # items that go through their tower together


class TwoTowerConfig(Config, frozen=True, kw_only=True):
    """Settings of ``two_tower``."""

    dim: AtLeastOne = 64
    """Length of the vectors."""
    hidden: AtLeastOne = 128
    """Width of the towers' layers."""
    length: AtLeastOne = 30
    """So many of the latest positive events of a history are read."""
    buckets: AtLeastOne = 20_000
    """Attributes of items and people are hashed into so many rows."""
    encoder: str = ""
    """The encoder of the items' texts, by name or folder ("auto": the best there is); empty reads none."""
    forget: Share = 0.1
    """Chance, in training, that an item goes by its attributes and text alone, so that a new one can."""
    temperature: Positive = 0.07
    """Cosines are divided by it."""
    negatives: Annotated[int, msgspec.Meta(ge=0)] = 512
    """Items drawn evenly beside the targets of the batch."""
    epochs: AtLeastOne = 15
    """Rounds over all events."""
    batch: AtLeastOne = 1_024
    """Events of a step."""
    learning_rate: Positive = 0.002
    """Of AdamW; it falls to 0 along half a cosine."""
    weight_decay: AtLeastZero = 0.01
    """Decoupled: each step takes so much, times the learning rate, off all weights."""
    max_seconds: AtLeastZero = 0.0
    """Training ends after so long; 0 is no limit."""


class TwoTower:
    """Two towers with sampled softmax, in-batch negatives and the logQ correction (Yi et al. 2019).

    An item's tower reads its own vector, the mean of its hashed attributes (a price by its tenth), and its language
    vector where an encoder is named; a person's reads the mean of the towers of their latest items, the newer weighed
    by learned weights, and their own attributes (Covington et al. 2016). Negatives drawn evenly are mixed in (Yang et
    al. 2020). Served by numpy; ``put_items`` brings new items through the item tower.
    """

    name = "two_tower"
    Config = TwoTowerConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"temperature": 0.15})
    space: ClassVar[Space] = {
        "dim": Choice((32, 64, 128)),
        "length": Whole(5, 100, log=True),
        "forget": Real(0.0, 0.5),
        "temperature": Real(0.03, 0.3, log=True),
        "negatives": Choice((0, 256, 512, 1024)),
        "epochs": Whole(5, 40, log=True),
        "learning_rate": Real(0.0003, 0.01, log=True),
        "weight_decay": Real(0.0001, 0.3, log=True),
    }

    def __init__(self, config: TwoTowerConfig | None = None, *, encoder: Any = None) -> None:
        """Take settings, and the encoder itself where the caller already holds one."""
        self.config = config or TwoTowerConfig()
        self._encoder = encoder
        self._take(_untrained(self.config), np.zeros(0, dtype=np.bool_))

    def fit(self, data: Dataset, run: Run) -> Self:
        """Train both towers.

        Raises:
            DataError: The data has no positive event.
            MissingExtraError: torch is not installed.
        """
        need_torch("'two_tower'")
        from inkling.retrieval._two_tower_fit import fit_towers

        events = signals(data, name=self.name)
        ordered = data.scenario.time != "none"
        windows = Windows.of(events, self.config.length, ordered=ordered, rng=run.rng(self.name, "windows"))
        words = hashed(data.items.frame, self.config.buckets), self._people(data)
        texts = self._read(data.items.texts(), run)
        weights = fit_towers(windows, words, texts, self.config, run)
        trained = np.zeros(data.n_items, dtype=np.bool_)
        trained[events.item_rows] = True
        weights["ids"] = weights["ids"] * trained[:, None]  # what was never a target says nothing
        said = np.zeros_like(weights["ids"])
        if texts is not None:
            said = texts @ weights["project.weight"].T
        self._take({**weights, "said": said, "item_words": words[0], "people_words": words[1]}, trained)
        return self

    def _people(self, data: Dataset) -> I32:
        """Return the hashed attributes (U + 1, V) of people; the last row is nobody."""
        if data.people is None:
            return np.zeros((data.n_users + 1, 1), dtype=np.int32)
        own = hashed(data.people.frame, self.config.buckets)
        return np.concatenate([own, np.zeros((1, own.shape[1]), dtype=np.int32)])

    def _read(self, texts: list[str], run: Run) -> F32 | None:
        """Return the language vectors (n, t) of the items, each distinct text read once; None without an encoder."""
        distinct = list(dict.fromkeys(text for text in texts if text))
        encoder = self._encoder
        if not distinct or (encoder is None and not self.config.encoder):
            return None
        if encoder is None:
            from inkling.encoders import fitted_encoder

            encoder = fitted_encoder(self.config.encoder, distinct, run)
        read = normalize_rows(np.asarray(encoder.encode(distinct), dtype=np.float32))
        place = {text: row for row, text in enumerate(distinct)}
        out = np.zeros((len(texts), read.shape[1]), dtype=np.float32)
        told = [row for row, text in enumerate(texts) if text]
        out[told] = read[[place[texts[row]] for row in told]]
        return out

    def _take(self, weights: Mapping[str, Array], trained: Bool) -> None:
        """Serve with these weights: every item goes through its tower once."""
        self._weights, self._trained = dict(weights), trained
        rows = np.arange(len(trained), dtype=np.int32)
        parts = [self._tower(rows[begin : begin + _BLOCK]) for begin in range(0, len(rows), _BLOCK)]
        self._vectors: F32 = np.concatenate([np.zeros((0, self.config.dim), dtype=np.float32), *parts])
        self._index = NearestItems()

    def _tower(self, rows: I32) -> F32:
        """Return the vectors (R, d) of items; zeros where nothing is known of one."""
        weights = self._weights
        words = weights["item_words"][rows]
        whole = weights["ids"][rows] + _bag(words, weights["words"]) + weights["said"][rows]
        known = self._trained[rows] | (words > 0).any(axis=1) | weights["said"][rows].any(axis=1)
        return np.where(known[:, None], self._layer("item", whole), 0.0).astype(np.float32)

    def _layer(self, name: str, x: F32) -> F32:
        weights = self._weights
        inner = np.maximum(x @ weights[f"{name}.inner.weight"].T + weights[f"{name}.inner.bias"], 0.0)
        return normalize_rows(x + inner @ weights[f"{name}.outer.weight"].T + weights[f"{name}.outer.bias"])

    def people(self, query: Query) -> F32:
        """Return the vectors (B, d) of the people asked about."""
        weights, n_items = self._weights, len(self._vectors)
        rows = latest(query.history, self.config.length, n_items)
        worth = np.where(rows >= 0, np.exp(weights["recency"])[None, :], 0.0).astype(np.float32)
        worth /= np.maximum(worth.sum(axis=1, keepdims=True), 1e-12)
        table = self._vectors if n_items else np.zeros((1, self.config.dim), dtype=np.float32)
        pooled = np.einsum("bl,bld->bd", worth, table[np.maximum(rows, 0)])
        nobody = len(weights["people_words"]) - 1
        known = (query.user_rows >= 0) & (query.user_rows < nobody)
        own = weights["people_words"][np.where(known, query.user_rows, nobody)]
        return self._layer("person", weights["start"] + pooled + _bag(own, weights["words"]))

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the cosines of people and items."""
        return Factors(self._vectors).scores(self.people(query), query.n_items)

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, d); zeros where nothing is known of one."""
        return self._vectors

    def place(self, query: Query) -> F32:
        """Return people's vectors (B, d): the larger the product with an item's, the better; zeros: nothing known."""
        return self.people(query)

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return the same as ``retrieve`` by an index, where there are many items; None where there are not."""
        if query.n_items < self._index.index_from or query.candidates is not None:
            return None
        return self._index.top(self._vectors, self.people(query), query, k)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items nearest to each person."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items nearest to each item."""
        return Factors(self._vectors).similar(item_rows, k, source=self.name)

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the language vectors (n, t) of new or changed items; a model that reads no text passes them over.

        Raises:
            DataError: The vectors have another dimension than those that it was fitted on.
        """
        project = self._weights.get("project.weight")
        if not len(item_rows) or project is None:
            return
        if vectors.shape[1] != project.shape[1]:
            raise DataError(
                f"'two_tower' reads vectors of {project.shape[1]} numbers and was given {vectors.shape[1]}.",
                hint=f"Encode items with '{self.config.encoder}', as when it was fitted.",
            )
        more = int(item_rows.max()) + 1 - len(self._vectors)
        if more > 0:
            for name in ("ids", "said", "item_words"):
                self._weights[name] = _grown(self._weights[name], more)
            self._trained, self._vectors = _grown(self._trained, more), _grown(self._vectors, more)
        self._weights["said"][item_rows] = normalize_rows(vectors.astype(np.float32)) @ project.T
        self._vectors[item_rows] = self._tower(item_rows)
        self._index.put(item_rows, self._vectors[item_rows])

    def state(self) -> Mapping[str, Array]:
        """Return the weights."""
        return {**self._weights, "trained": self._trained}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        weights = {name: np.array(array) for name, array in state.items() if name != "trained"}
        self._take(weights, np.array(state["trained"], dtype=np.bool_))
        return self


def _bag(words: I32, table: F32) -> F32:
    """Return the mean (R, d) of each row's words, zeros without any."""
    there = (words > 0).astype(np.float32)
    return np.asarray(
        np.einsum("rw,rwd->rd", there / np.maximum(there.sum(axis=1, keepdims=True), 1.0), table[words]),
        dtype=np.float32,
    )


def _grown(array: Any, more: int) -> Any:
    return np.concatenate([array, np.zeros((more, *array.shape[1:]), dtype=array.dtype)])


def _untrained(config: TwoTowerConfig) -> dict[str, Array]:
    """Return weights of a model that knows no item and no person."""
    shapes = {"item": (config.hidden, config.dim), "person": (config.hidden, config.dim)}
    layers = {
        f"{name}.{part}.{kind}": np.zeros(shape, dtype=np.float32)
        for name, (hidden, dim) in shapes.items()
        for part, kind, shape in (
            ("inner", "weight", (hidden, dim)),
            ("inner", "bias", (hidden,)),
            ("outer", "weight", (dim, hidden)),
            ("outer", "bias", (dim,)),
        )
    }
    empty = np.zeros((0, config.dim), dtype=np.float32)
    words = {"item_words": np.zeros((0, 1), dtype=np.int32), "people_words": np.zeros((1, 1), dtype=np.int32)}
    start = {"start": empty.sum(axis=0), "recency": np.zeros(config.length, dtype=np.float32)}
    return {**layers, **words, **start, "ids": empty, "said": empty, "words": np.zeros((1, config.dim), np.float32)}
