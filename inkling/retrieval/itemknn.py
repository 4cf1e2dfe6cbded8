"""What people who had this also had: neighbours of items by the people that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from inkling.core.arrays import F32, F64, I32
from inkling.core.dataset import Dataset, Interactions
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._matrix import Signal, capped, column_sums, people_by_items, scale_rows, signals
from inkling.retrieval._neighbours import Finish, Neighbours
from inkling.retrieval._taste import AtLeastZero, Count, Positive, Share, TasteConfig, day_length, decay

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
    max_influence: AtLeastZero = 0.0
    """Against robots and made-up profiles: one person's items together vote for an item like so many at most; 0 is no
    limit. Those with more are scaled down, see ``capped``."""


class ItemKnn(ItemToItem):
    """Item-to-item collaborative filtering (Sarwar et al. 2001; BM25 after Robertson et al. 1994)."""

    name = "itemknn"
    Config = ItemKnnConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"weighting": "cosine"},
        {"weighting": "bm25"},
        {"weighting": "cosine", "half_life_days": 60.0},
        {"weighting": "cosine", "own": 10.0, "repeats": "session"},
        {"weighting": "cosine", "own": 10.0, "repeats": "session", "half_life_days": 60.0},
        {"weighting": "bm25", "own": 3.0, "repeats": "session"},
    )
    space: ClassVar[Space] = {
        "weighting": Choice(("cosine", "tfidf", "bm25")),
        "neighbours": Whole(20, 500, log=True),
        "shrink": Real(0.5, 200.0, log=True),
        "power": Real(0.2, 0.8),
        "own": Choice((0.0, 1.0, 3.0, 10.0)),
        "repeats": Choice(("once", "session")),
        "signal": Choice(("binary", "log")),
        "half_life_days": Choice((0.0, 30.0, 60.0, 120.0)),
    }

    def __init__(self, config: ItemKnnConfig | None = None) -> None:
        self.config = config or ItemKnnConfig()
        self._said = Neighbours.none(0)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Find each item's neighbours.

        Raises:
            DataError: The data has no positive event.
        """
        events = signals(data, name=self.name)
        self._day = day_length(data)
        matrix = _weigh(self._votes(events, data), self.config)
        columns = matrix.T.tocsr()
        self._said = Neighbours.build(
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
        kept = matrix if limit == 0 else matrix[np.flatnonzero(np.diff(matrix.indptr) <= limit)]
        return capped(kept, self.config.max_influence)


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
