"""What reads like what a person chose, or like what they say: neighbours by language vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.kernels.quantize import dequantize_int8, quantize_int8
from inkling.kernels.similarity import normalize_rows
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather, retrieve
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval._taste import AtLeastZero, Count, Taste, TasteConfig, day_length, grounds, tastes
from inkling.retrieval.base import Because

_NOTHING = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)


class SemanticConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``semantic``."""

    half_life_days: AtLeastZero = 90.0
    """Age at which an event of the history counts half; 0 is no decay."""
    encoder: str = "auto"
    """The encoder that reads the items, by name or folder; also the name of the query's text vectors."""
    measure: Literal["cosine", "euclidean"] = "cosine"
    """Nearness to the person's vector: its cosine, or 1 / (1 + the distance between vectors of length one)."""
    values: AtLeastZero = 0.0
    """Power of an event's value (a rating, a quantity) in its weight; 0 leaves values out."""
    text_weight: AtLeastZero = 1.0
    """What a query's text is worth beside the whole history."""
    dim: Count = 0
    """Vectors are cut down to so many numbers, along the items' main directions (faster); 0 keeps them whole."""
    storage: Literal["int8", "float16"] = "int8"
    """How vectors are rounded and stored."""


class Semantic:
    """Content-based filtering with a Rocchio profile (Pazzani and Billsus 2007) over language vectors of the items.

    Items without text have a zero vector and are never found. ``fit`` needs no event.
    """

    name = "semantic"
    Config = SemanticConfig

    def __init__(self, config: SemanticConfig | None = None, *, encoder: Any = None) -> None:
        """Take settings, and the encoder itself where the caller already holds one."""
        self.config = config or SemanticConfig()
        self._encoder = encoder
        self._vectors = np.zeros((0, 0), dtype=np.float32)  # (n, dim) length one, or zero
        self._index = NearestItems()
        self._axes = np.zeros((0, 0), dtype=np.float32)  # (encoded dim, dim) where vectors are cut down
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Read the items' texts, each distinct text once."""
        texts = data.items.texts()
        distinct = list(dict.fromkeys(text for text in texts if text))
        place = {text: row for row, text in enumerate(distinct)}
        self._day = day_length(data)
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._index = NearestItems(self._index.index_from)
        self._axes = np.zeros((0, 0), dtype=np.float32)
        if distinct:
            read = self._read(distinct, run)
            if 0 < self.config.dim < read.shape[1]:
                self._axes = _main_directions(read, self.config.dim)
            rows = np.array([row for row, text in enumerate(texts) if text], dtype=np.int32)
            self.put_items(rows, read[[place[text] for text in texts if text]])
        return self

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, dim), of length one or zero."""
        return self._vectors

    def _read(self, texts: list[str], run: Run) -> F32:
        encoder = self._encoder
        if encoder is None:
            from inkling.encoders import fitted_encoder

            encoder = fitted_encoder(self.config.encoder, texts, run)
        return np.asarray(encoder.encode(texts), dtype=np.float32)

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the vectors (n, dim) of new or changed items.

        Raises:
            DataError: The vectors have another dimension than those that are here.
        """
        if not len(item_rows):
            return
        expected = len(self._axes) or self._vectors.shape[1]
        if expected and vectors.shape[1] != expected:
            raise DataError(
                f"'semantic' holds vectors of {expected} numbers and was given {vectors.shape[1]}.",
                hint=f"Encode items with '{self.config.encoder}', as when it was fitted.",
            )
        vectors = self._cut(vectors)
        n_items = max(len(self._vectors), int(item_rows.max()) + 1)
        if n_items > len(self._vectors):
            # Room for a quarter more would save copies, but rows beyond the last item would have to be told apart.
            grown = np.zeros((n_items, vectors.shape[1]), dtype=np.float32)
            grown[: len(self._vectors)] = self._vectors.reshape(-1, vectors.shape[1])
            self._vectors = grown
        self._vectors[item_rows] = self._rounded(normalize_rows(vectors.astype(np.float32)))
        self._index.put(item_rows, self._vectors[item_rows])

    def _cut(self, vectors: F32) -> F32:
        return vectors @ self._axes if self._axes.size else vectors

    def _rounded(self, vectors: F32) -> F32:
        """Round as stored, so that a loaded model answers exactly as this one does."""
        if self.config.storage == "float16":
            return vectors.astype(np.float16).astype(np.float32)
        return dequantize_int8(*quantize_int8(vectors))

    def _people(self, query: Query) -> Iterator[tuple[Taste, F32, F32]]:
        """Yield each person's taste, the sum of its vectors (dim,), and the query text's part of the profile (dim,)."""
        texts = query.text_vectors.get(self.config.encoder)
        dim = self._vectors.shape[1]
        for person, taste in enumerate(tastes(query, len(self._vectors), self.config, self._day)):
            if self.config.values > 0:
                taste = self._valued(query, person, taste)
            chosen = taste.weights @ self._vectors[taste.rows]
            said = np.zeros(dim, dtype=np.float32) if texts is None else self._cut(texts[person].astype(np.float32))
            yield taste, chosen, said

    def _valued(self, query: Query, person: int, taste: Taste) -> Taste:
        """Multiply weights by the mean value of the person's events with the item, where they carry one."""
        own = slice(int(query.history.offsets[person]), int(query.history.offsets[person + 1]))
        rows, values = query.history.item_rows[own], query.history.values[own]
        told = np.isfinite(values) & (values > 0) & (rows >= 0) & (rows < len(self._vectors))
        n_told = np.bincount(rows[told], minlength=len(self._vectors))[taste.rows]
        total = np.bincount(rows[told], values[told], len(self._vectors))[taste.rows]
        mean = np.where(n_told > 0, total / np.maximum(n_told, 1), 1.0)
        return Taste(taste.rows, (taste.weights * np.power(mean, self.config.values)).astype(np.float32))

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): nearness to what each person chose and said; 0 where either is unknown."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        if not self._vectors.size:
            return out
        width = min(len(self._vectors), query.n_items)
        for row, profile in zip(out, self._profiles(query), strict=True):
            if profile.any():
                row[:width] = self._near(profile)[:width]
        return out

    def _profiles(self, query: Query) -> Iterator[F32]:
        """Yield what each person is compared by (dim,): of length one, or zero where nothing is known."""
        for _, chosen, said in self._people(query):
            yield _unit(_unit(chosen) + np.float32(self.config.text_weight) * _unit(said))

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return the same as ``retrieve`` by an index, where there are many items; None where there are not."""
        if query.n_items < self._index.index_from or query.candidates is not None:
            return None
        people = np.array(list(self._profiles(query)), dtype=np.float32)
        found = self._index.top(self._vectors, people, query, k)
        if found is None:
            return None
        heard: Bool = np.asarray(people.any(axis=1))
        return [(rows, self._nearness(cosines)) if heard[at] else _NOTHING for at, (rows, cosines) in enumerate(found)]

    def _nearness(self, cosines: F32) -> F32:
        if self.config.measure == "cosine":
            return np.asarray(cosines, dtype=np.float32)
        # Rounded vectors are not quite of length one, hence the bound at 0.
        return np.asarray(1.0 / (1.0 + np.sqrt(np.maximum(2.0 - 2.0 * cosines, 0.0))), dtype=np.float32)

    def _near(self, profile: F32) -> F32:
        near = self._nearness(self._vectors @ profile)
        return near if self.config.measure == "cosine" else np.where(self._vectors.any(axis=1), near, np.float32(0))

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k nearest items."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that read most like each item."""
        return gather([self._similar(int(row), k) for row in item_rows], source=self.name)

    def _similar(self, row: int, k: int) -> tuple[I32, F32]:
        if not 0 <= row < len(self._vectors) or not self._vectors[row].any():
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        near = self._near(self._vectors[row])
        mask = near > 0
        mask[row] = False
        return topk(near, k, mask=mask)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the chosen items that read like ``item_row``, and the text where it does; shares of the cosine."""
        if not self._vectors.size or not 0 <= item_row < len(self._vectors):
            return ()
        taste, chosen, said = next(self._people(query))
        spoken = np.float32(self.config.text_weight) * _unit(said)
        whole = float(np.linalg.norm(_unit(chosen) + spoken)) or 1.0
        item = self._vectors[item_row]
        shares = taste.weights * (self._vectors[taste.rows] @ item) / (float(np.linalg.norm(chosen)) or 1.0) / whole
        text = Because("text", -1, float(spoken @ item) / whole)
        found = (*grounds("because_item", taste.rows, shares), *((text,) if text.weight else ()))
        return tuple(sorted(found, key=lambda because: -abs(because.weight)))

    def state(self) -> Mapping[str, Array]:
        """Return the vectors, rounded."""
        rest: dict[str, Array] = {"axes": self._axes, "day": np.array([self._day])}
        if self.config.storage == "float16":
            return {"vectors": self._vectors.astype(np.float16), **rest}
        codes, scales = quantize_int8(self._vectors)
        return {"vectors": codes, "scales": scales, **rest}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        vectors = state["vectors"]
        self._vectors = dequantize_int8(vectors, state["scales"]) if "scales" in state else vectors.astype(np.float32)
        self._index = NearestItems(self._index.index_from)
        self._axes, self._day = np.array(state["axes"], dtype=np.float32), float(state["day"][0])
        return self


def _main_directions(vectors: F32, dim: int) -> F32:
    """Return the axes (D, dim) that keep most of the vectors' inner products (their right singular vectors)."""
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :dim], dtype=np.float32)


def _unit(vector: F32) -> F32:
    norm = float(np.sqrt(vector @ vector))
    return vector / np.float32(norm) if norm > 0 else vector
