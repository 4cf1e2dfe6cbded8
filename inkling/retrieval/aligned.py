"""A collaborative model that knows items without events, by aligning what is said of them with what people do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space
from inkling.kernels.topk import topk
from inkling.retrieval import build
from inkling.retrieval._aligned import Asked, Bridge, Facts, Kernel, Ready, top_of
from inkling.retrieval._aligned_facts import Reading
from inkling.retrieval._aligned_fit import Simulation, held_out, judge, people_of, popular_of, rounds
from inkling.retrieval._aligned_judge import Best, Judge
from inkling.retrieval._aligned_map import TextMap, collaborative
from inkling.retrieval._dense import gather, retrieve
from inkling.retrieval._taste import AtLeastZero, Count, Share, Taste, day_length, grounds
from inkling.retrieval.base import Because
from inkling.training.extra import need_torch

_NEAR_TEXT = 100
_PLACES = 64


class AlignedConfig(Config, frozen=True, kw_only=True):
    """Settings of ``aligned``."""

    warm: Literal["ease", "forward", "itemknn", "markov"] = "ease"
    """The collaborative model of the items that have events."""
    settings: dict[str, Any] = {}
    """Settings of the collaborative model."""
    method: Literal["closed", "learned", "vqvae"] = "closed"
    """How a text becomes a place among collaborative vectors: kernel and ridge regression alone, or with them a small
    network, or a vector generated from codebooks; the last two need torch to fit."""
    price: Share = 0.003
    """What share of the warm items' NDCG@10 may be given for showing items without events, on simulated cold ones."""
    encoder: str = "auto"
    """Registered name of the encoder that reads the items; also the name of the query's text vectors."""
    dim: Annotated[int, msgspec.Meta(ge=2)] = 128
    """Text vectors are cut down to so many numbers, along the items' main directions."""
    attributes: Share = 0.3
    """Share of the likeness of two items that lists of attributes have, where the catalogue holds any."""
    text_weight: AtLeastZero = 1.0
    """What a query's text is worth beside the whole history."""
    text_likeness: AtLeastZero = 0.3
    """What it is worth that an item itself reads like a query's text, beside what goes with items that do."""
    text_popularity: AtLeastZero = 3.0
    """What popularity is worth beside a query's text."""
    half_life_days: AtLeastZero = 365.0
    """Age at which an event counts half in that popularity; 0 is no decay."""
    epochs: Count = 60
    """learned, vqvae: passes over the warm items."""


class Aligned:
    """Items without events get a column of the collaborative model from their text, in closed form or learned.

    As MARec (Monteil et al. 2024, arXiv 2404.13298) metadata are aligned with a linear model, so that it goes on to
    serve warm items as it is. A cold item's score is the mean of what the person's warm scores say of its neighbours
    by text (kernel regression), the projection of all warm scores onto text (ridge), the likeness of its text to the
    person's, predicted popularity and freshness, weighed by a logistic regression on simulated cold items; it is then
    put at the place among the person's warm items that its chance deserves, whose scores are not touched.
    """

    name = "aligned"
    Config = AlignedConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"settings": {"l2": 300.0}},
        {"warm": "markov"},
        {"warm": "itemknn", "settings": {"own": 10.0, "repeats": "session", "half_life_days": 60.0}},
    )
    space: ClassVar[Space] = {
        "warm": Choice(("ease", "forward", "itemknn", "markov")),
        "dim": Choice((64, 128, 256)),
        "attributes": Real(0.0, 0.6),
    }

    def __init__(self, config: AlignedConfig | None = None, *, encoder: Any = None) -> None:
        """Take settings, and the encoder itself where the caller already holds one."""
        self.config = config or AlignedConfig()
        self._encoder = encoder
        self._base: Any = build(self.config.warm, self.config.settings)
        self._reading = Reading.none()
        self._ready: Ready | None = None
        self._judge: Judge | None = None
        self._map: TextMap | None = None
        self._popular = np.zeros(0, np.float32)
        self._drop, self._until = False, 0

    def fit(self, data: Dataset, run: Run) -> Self:
        """Fit the collaborative model, read the items, and let warm ones play cold.

        Raises:
            DataError: The data has no positive event.
            MissingExtraError: ``method`` is learned or vqvae, and torch is not installed.
        """
        if self.config.method != "closed":
            need_torch(f"'aligned' with method = '{self.config.method}'")
        self._drop, self._until = data.scenario.seen == "drop", data.until
        self._reading, facts = Reading.of(data, self._encode, self.config.dim, self.config.attributes)
        self._judge = self._play(data, facts, run)
        self._base = build(self.config.warm, self.config.settings).fit(data, run)
        counts = np.log1p(people_of(data)).astype(np.float32)
        self._popular = popular_of(data, self.config.half_life_days)
        said = facts.vectors.any(axis=1)
        had = np.bincount(data.interactions.item_rows[data.interactions.weights > 0], minlength=data.n_items) > 0
        warm, cold = (np.flatnonzero(said & mask).astype(np.int32) for mask in (had, ~had))
        self._map = self._learn(data, facts, warm, run)
        mapped = None if self._map is None else self._map.places(facts.inputs(), warm)
        self._ready = None
        if len(warm) > 1:
            self._ready = Bridge.of(facts, cold, warm, counts, day=day_length(data), mapped=mapped).prepared()
        return self

    def _play(self, data: Dataset, facts: Facts, run: Run) -> Judge | None:
        """Return what is learned of chances while warm items play cold; None where too little happened for that."""
        held = held_out(data, run)
        if held is None or not (held.train.interactions.weights > 0).any():
            return None
        base = build(self.config.warm, self.config.settings).fit(held.train, run)
        simulation = Simulation(held, base, facts, day_length(data), self._drop)

        def learn(train: Dataset, warm: I32) -> F32 | None:
            found = self._learn(train, facts, warm, run)
            return None if found is None else found.places(facts.inputs(), warm)

        played = rounds(simulation, run, learn)
        if not any(one.right.any() for one in played):
            return None
        return judge(played, run, price=self.config.price)

    def _learn(self, data: Dataset, facts: Facts, warm: I32, run: Run) -> TextMap | None:
        if self.config.method == "closed" or len(warm) < 2:
            return None
        from inkling.retrieval._aligned_net import Lesson, learn

        places = collaborative(data, warm, _PLACES, run)
        lesson = Lesson(facts.inputs(warm), places, self.config.epochs)
        return TextMap(learn(lesson, self.config.method, run), places)

    def _encode(self, texts: list[str]) -> F32:
        if self._encoder is None:
            from inkling.encoders import ENCODERS

            self._encoder = ENCODERS.get(self.config.encoder)()
        return np.asarray(self._encoder.encode(texts), dtype=np.float32)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the collaborative model's scores, and those of items without events among them."""
        out: F32 = self._base.scores(query)
        if self._ready is None:
            return out
        texts = query.text_vectors.get(self.config.encoder)
        for person, row in enumerate(out):
            taste: Taste = self._base.taste(query, person)
            n_own = len(taste.rows)
            if texts is not None:
                taste = self._with_text(row, taste, texts[person])
            if self._judge is not None and len(taste.rows):
                self._put(row, Asked(row, taste, int(query.now[person]), n_own), query, person)
        return out

    def _put(self, row: F32, asked: Asked, query: Query, person: int) -> None:
        """Write the scores of items without events into a person's scores (n_items,)."""
        assert self._ready is not None
        assert self._judge is not None
        n = len(self._ready.bridge.facts.vectors)
        known = np.zeros(n, np.float32)
        known[: len(row)] = row[:n]
        known[self._ready.bridge.cold] = 0  # what a text says of them directly is no word of a warm item
        asked = asked._replace(scores=known)
        best = Best.of(self._without_seen(known, query, person))
        chances = self._judge.warm_chances(asked, best, self._ready.about(asked, best.rows))
        cold = self._ready.bridge.cold
        found = self._judge.places(self._ready.features(asked), chances, best.scores)
        inside = cold < len(row)
        row[cold[inside]] = found[inside]

    def _without_seen(self, scores: F32, query: Query, person: int) -> F32:
        """Return the scores without those of a person's history where it may not be recommended again."""
        if not self._drop:
            return scores
        own = query.history.item_rows[query.history.offsets[person] : query.history.offsets[person + 1]]
        out = scores.copy()
        out[own[(own >= 0) & (own < len(out))]] = 0
        return out

    def _with_text(self, row: F32, taste: Taste, said: F32) -> Taste:
        """Add what a text says to a person's scores (n_items,) in place; return the taste with what it is near to."""
        assert self._ready is not None
        vector = self._reading(np.asarray(said, np.float32)[None])[0]
        vectors = self._ready.bridge.facts.vectors[: len(row)]
        near = vectors @ vector
        rows, best = topk(near, _NEAR_TEXT, mask=near > 0)
        if not len(rows):
            return taste
        shares = np.exp((best - best[0]) / np.float32(0.1))
        spoken = Taste(rows, (shares / shares.sum()).astype(np.float32))
        inside = rows < len(self._base._said)
        told = self._base._said.score(Taste(rows[inside], spoken.weights[inside]), len(row))
        row /= top_of(row) if row.any() else np.float32(1)
        popular = np.zeros(len(row), np.float32)
        popular[: len(self._popular)] = self._popular[: len(row)]
        direct = np.zeros(len(row), np.float32)
        direct[: len(near)] = np.maximum(near, 0) ** 2 / max(float(best[0]) ** 2, 1e-9)
        told = told / top_of(told) if told.any() else told
        told = told + np.float32(self.config.text_likeness) * direct
        row += np.float32(self.config.text_weight) * (told + np.float32(self.config.text_popularity) * popular)
        total = float(taste.weights.sum()) or 1.0
        weights = spoken.weights * np.float32(total * self.config.text_weight)
        return Taste(np.concatenate([taste.rows, rows]), np.concatenate([taste.weights, weights]))

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k best items, those without events among them."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return what the collaborative model has beside each item; beside one without events, what reads like it."""
        cold = set() if self._ready is None else set(self._ready.bridge.cold.tolist())
        parts = []
        for row in item_rows.tolist():
            one = self._base.similar(np.array([row], np.int32), k)
            parts.append(self._reads_like(row, k) if row in cold else (one.item_rows, one.scores))
        return gather(parts, source=self.name)

    def _reads_like(self, row: int, k: int) -> tuple[I32, F32]:
        assert self._ready is not None
        vectors = self._ready.bridge.facts.vectors
        near = vectors @ vectors[row]
        near[row] = 0
        return topk(near, k, mask=near > 0)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that speak for ``item_row``: for one without events, by their texts."""
        if self._ready is None or item_row not in self._ready.bridge.cold:
            return tuple(self._base.why(query, item_row))
        score = float(self.scores(query.take([0]))[0, item_row]) if item_row < query.n_items else 0.0
        vectors = self._ready.bridge.facts.vectors
        taste = self._base.taste(query, 0)
        taste = Taste(taste.rows[taste.rows < len(vectors)], taste.weights[taste.rows < len(vectors)])
        shares = taste.weights * np.maximum(vectors[taste.rows] @ vectors[item_row], 0)
        if score <= 0 or not shares.sum() > 0:
            return (Because("text", -1, score),) if score > 0 else ()
        return grounds("because_item", taste.rows, (shares * (score / shares.sum())).astype(np.float32))

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the texts' vectors (n, dim) of new or changed items; new ones can be recommended at once.

        Raises:
            DataError: The vectors have another dimension than those that it was fitted with.
        """
        if self._ready is None or not len(item_rows):
            return
        if vectors.shape[1] != len(self._reading.axes):
            raise DataError(
                f"'aligned' reads vectors of {len(self._reading.axes)} numbers and was given {vectors.shape[1]}.",
                hint=f"Encode items with '{self.config.encoder}', as when it was fitted.",
            )
        bridge = self._ready.bridge
        facts = bridge.facts.grown(int(item_rows.max()) + 1, float(self._until))
        facts.vectors[item_rows] = self._reading(np.asarray(vectors, np.float32))
        new = item_rows[~np.isin(item_rows, bridge.warm)].astype(np.int32)
        mapped = None
        if self._map is not None:
            mapped = Kernel.of(self._map(facts.inputs(new)), self._map.warm, bridge.warm, bridge.learned.rows.shape[1])
        self._ready = bridge.with_items(facts, new, mapped).prepared()

    def state(self) -> Mapping[str, Array]:
        """Return the collaborative model, the items' vectors, and what was learned of chances."""
        out = {f"base.{name}": value for name, value in self._base.state().items()}
        out |= self._reading.to_arrays() | {"popular": self._popular, "about": np.array([self._drop, self._until])}
        if self._ready is not None:
            out |= self._ready.bridge.to_arrays()
        if self._judge is not None:
            out |= self._judge.to_arrays()
        return out if self._map is None else out | self._map.to_arrays()

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        base = {name.removeprefix("base."): value for name, value in state.items() if name.startswith("base.")}
        self._base = build(self.config.warm, self.config.settings).load_state(base)
        self._reading, self._judge = Reading.from_arrays(state), Judge.from_arrays(state)
        self._popular, self._map = np.asarray(state["popular"], np.float32), TextMap.from_arrays(state)
        self._drop, self._until = bool(state["about"][0]), int(state["about"][1])
        self._ready = Bridge.from_arrays(state).prepared() if "inverse" in state else None
        return self
