"""What people who had this also had: neighbours of items by the people that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Signal, column_sums, people_by_items, scale_rows, signals
from inkling.retrieval._neighbours import Finish, Neighbours
from inkling.retrieval._taste import (
    AtLeastZero,
    Count,
    Positive,
    Share,
    Taste,
    TasteConfig,
    day_length,
    decay,
    grounds,
    taste_key,
    taste_of,
    tastes,
)
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class ItemKnnConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``itemknn``."""

    weighting: Literal["cosine", "tfidf", "bm25"] = "cosine"
    """How a person's vote for an item is weighed; tfidf and bm25 give people with many items less to say."""
    unit: Literal["person", "session"] = "person"
    """Whose votes count: people, or single sessions, which makes it what is bought together."""
    max_unit_items: Count = 0
    """People (or sessions) with more items than this are left out; 0 is no limit."""
    neighbours: Count = 200
    """Neighbours kept for each item; 0 keeps all (item x item places)."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    shrink: AtLeastZero = 10.0
    """Added to the denominator of cosine and tfidf: little support means little likeness."""
    power: Positive = 0.5
    """Power of the items' sizes in the denominator: 0.5 is the cosine, more holds popular items down."""
    k1: AtLeastZero = 100.0
    """bm25: how fast repeated events saturate."""
    b: Share = 0.5
    """bm25: how much an item's number of events lowers each of them."""
    own: AtLeastZero = 0.0
    """How much an item counts as its own neighbour, for businesses where people buy again."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""


class ItemKnn:
    """Item-to-item collaborative filtering (Sarwar et al. 2001; BM25 after Robertson et al. 1994)."""

    name = "itemknn"
    Config = ItemKnnConfig

    def __init__(self, config: ItemKnnConfig | None = None) -> None:
        self.config = config or ItemKnnConfig()
        self._near = Neighbours.none(0)
        self._day = np.inf

    def fit(self, data: Dataset, run: Run) -> Self:
        """Find each item's neighbours.

        Raises:
            DataError: The data has no positive event.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        matrix = _weigh(self._votes(events, data), self.config)
        columns = matrix.T.tocsr()
        self._near = Neighbours.build(
            lambda block: columns[block] @ matrix,
            _finisher(column_sums(matrix.power(2)), self.config),
            data.n_items,
            self.config.neighbours,
        )
        return self

    def _votes(self, events: Interactions, data: Dataset) -> csr_array:
        """Return who had what: people or sessions x items."""
        if self.config.unit == "session":
            events = replace(events, user_rows=events.session_rows)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, self._day)
        n_units = 1 + int(events.user_rows.max())
        matrix = people_by_items(events, weights, (n_units, data.n_items), signal=self.config.signal)
        limit = self.config.max_unit_items
        return matrix if limit == 0 else matrix[np.flatnonzero(np.diff(matrix.indptr) <= limit)]

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): likeness to what each person had."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for row, taste in zip(out, tastes(query, len(self._near), self.config, self._day), strict=True):
            row[:] = self._near.score(taste, query.n_items)
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n_items, K)."""
        return self._near.items, self._near.strengths

    def taste(self, query: Query, person: int) -> Taste:
        """Return what the lists are looked up with."""
        return taste_of(query, person, len(self._near), self.config, self._day)

    def taste_key(self) -> object:
        """Return what tastes depend on."""
        return taste_key(self.config, len(self._near), self._day)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items most like what each person had."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k nearest neighbours of each item."""
        return self._near.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that are neighbours of ``item_row``."""
        taste = next(tastes(query, len(self._near), self.config, self._day))
        return grounds("because_item", taste.rows, self._near.contributions(taste, item_row))

    def state(self) -> Mapping[str, Array]:
        """Return the neighbours."""
        return {**self._near.to_arrays(), "day": np.array([self._day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._near, self._day = Neighbours.from_arrays(state), float(state["day"][0])
        return self


def _weigh(matrix: csr_array, config: ItemKnnConfig) -> csr_array:
    """Weigh votes: an item is a document, the people who had it are its words."""
    if config.weighting == "cosine":
        return matrix
    n_items_of = np.diff(matrix.indptr)
    rarity = np.log1p(matrix.shape[1] / (1.0 + n_items_of))
    if config.weighting == "tfidf":
        matrix = matrix.copy()
        matrix.data = np.sqrt(matrix.data)
        return scale_rows(matrix, rarity)
    lengths = column_sums(matrix)
    norm = (1.0 - config.b) + config.b * lengths / max(lengths[lengths > 0].mean(), 1e-12)
    saturated = matrix.copy()
    saturated.data = matrix.data * (config.k1 + 1.0) / (config.k1 * norm[matrix.indices] + matrix.data)
    return scale_rows(saturated, rarity)


def _finisher(sizes: F64, config: ItemKnnConfig) -> Finish:
    """Return what turns raw products into likeness."""
    powered = np.power(sizes, config.power).astype(np.float32)

    def finish(values: F32, rows: I32, columns: I32) -> F32:
        if config.weighting != "bm25":
            values = values / np.maximum(powered[rows] * powered[columns] + np.float32(config.shrink), 1e-12)
        return np.where(rows == columns, values * np.float32(config.own), values).astype(np.float32)

    return finish
