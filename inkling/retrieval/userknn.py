"""What people like you had: the nearest people by what they have in common, and what they took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.kernels.topk import topk
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Signal, column_sums, people_by_items, scale_rows, signals
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
    taste_of,
)
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_K1 = 1.2


class UserKnnConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``userknn``."""

    weighting: Literal["cosine", "tfidf", "bm25"] = "tfidf"
    """How what two people share is weighed: tfidf and bm25 count rare items more; bm25 also holds long lists down."""
    people: Annotated[int, msgspec.Meta(ge=1)] = 100
    """So many of the nearest people vote."""
    power: Positive = 1.0
    """Power of the likeness that a vote is weighed with: more listens to the nearest only."""
    shrink: AtLeastZero = 0.0
    """Added to the length of a person's list: those with few items are never very near."""
    b: Share = 0.75
    """bm25: how much a long list lowers each of its items."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""
    max_people: Count = 1_000_000
    """So many people, those seen last, are kept; 0 keeps all."""
    max_person_items: Count = 500
    """People with more items than this are left out, as are robots; 0 is no limit."""


class UserKnn:
    """User-to-user collaborative filtering (Resnick et al. 1994; case amplification, Breese et al. 1998).

    Whoever asks is folded in by their history: likeness to each kept person is a sparse product with the lists of the
    people behind each item, never people by people. The model keeps 8 bytes, twice, for each person and item.
    """

    name = "userknn"
    Config = UserKnnConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"weighting": "cosine"},
        {"weighting": "bm25"},
        {"people": 400},
        {"people": 400, "half_life_days": 60.0, "fit_half_life_days": 60.0},
        {"people": 400, "signal": "log", "repeats": "session", "power": 2.0},
    )
    space: ClassVar[Space] = {
        "weighting": Choice(("cosine", "tfidf", "bm25")),
        "people": Whole(20, 1000, log=True),
        "power": Real(0.5, 3.0),
        "shrink": Real(0.01, 30.0, log=True),
        "signal": Choice(("binary", "log")),
        "repeats": Choice(("once", "session")),
        "half_life_days": Choice((0.0, 30.0, 60.0, 120.0)),
        "fit_half_life_days": Choice((0.0, 60.0, 180.0)),
    }

    def __init__(self, config: UserKnnConfig | None = None) -> None:
        self.config = config or UserKnnConfig()
        self._day = np.inf
        self._n_items = 0
        self._rarity = np.zeros(0, dtype=np.float32)  # (n_items,)
        self._near: Any = None  # items x people: what a person's having an item adds to likeness
        self._had: Any = None  # people x items: what they vote for

    def fit(self, data: Dataset, run: Run) -> Self:
        """Keep people's lists.

        Raises:
            DataError: The data has no positive event.
        """
        config = self.config
        events = signals(data, name=self.name)
        self._day = day_length(data)
        weights = events.weights * decay(data.until - events.ts, config.fit_half_life_days, self._day)
        matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=config.signal)
        newest = np.full(data.n_users, np.iinfo(np.int64).min)
        np.maximum.at(newest, events.user_rows[events.user_rows >= 0], events.ts[events.user_rows >= 0])
        self._keep(matrix[self._chosen(np.diff(matrix.indptr), newest)])
        return self

    def _chosen(self, n_items_of: I64, newest: I64) -> I64:
        """Return the rows of the people who are kept, ascending."""
        config = self.config
        fits = (n_items_of > 0) & ((config.max_person_items == 0) | (n_items_of <= config.max_person_items))
        rows = np.flatnonzero(fits)
        if 0 < config.max_people < len(rows):
            rows = rows[np.argsort(-newest[rows], kind="stable")[: config.max_people]]
        return np.sort(rows)

    def _keep(self, had: csr_array) -> None:
        """Prepare the lists (people, n_items) for questions."""
        self._had, self._n_items = had, had.shape[1]
        n_of = column_sums(had > 0)
        self._rarity = np.ones(self._n_items, dtype=np.float32)
        if self.config.weighting != "cosine":
            self._rarity = np.log1p(had.shape[0] / (1.0 + n_of)).astype(np.float32)
        self._near = _likeness(had, self._rarity, self.config).T.tocsr()

    def _asked(self, query: Query, person: int) -> tuple[Taste, F32]:
        """Return a taste, and what each of its entries (M,) weighs in likeness."""
        taste = taste_of(query, person, self._n_items, self.config, self._day)
        rarity = self._rarity[taste.rows]
        return taste, taste.weights * (rarity if self.config.weighting != "bm25" else np.float32(1))

    def _voters(self, taste: Taste, weighed: F32) -> tuple[I64, F64]:
        """Return the nearest people, and the weight of their votes for each unit of likeness."""
        lists = self._near[taste.rows]
        amounts = lists.data * np.repeat(weighed, np.diff(lists.indptr))
        likeness = np.bincount(lists.indices, amounts, self._had.shape[0]).astype(np.float32)
        found, best = topk(likeness, self.config.people, mask=likeness > 0)
        # Relative to the nearest, whose vote counts 1: a power neither overflows nor vanishes.
        scale = best[0] if len(best) else np.float32(1)
        return found.astype(np.int64), np.power(best / scale, self.config.power - 1.0) / scale

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the votes of the people nearest to each person."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for person, row in enumerate(out):
            taste, weighed = self._asked(query, person)
            if not len(taste.rows) or self._had is None:
                continue
            found, votes = self._voters(taste, weighed)
            likeness = self._near[taste.rows][:, found].T @ weighed
            lists = self._had[found]
            amounts = lists.data * np.repeat(likeness * votes, np.diff(lists.indptr))
            row[: self._n_items] = np.bincount(lists.indices, amounts, self._n_items)
        return out

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that the people nearest to each person had most."""
        return retrieve(self, query, k)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that are shared with the people who had ``item_row``."""
        taste, weighed = self._asked(query, 0)
        if not len(taste.rows) or not 0 <= item_row < self._n_items:
            return ()
        found, votes = self._voters(taste, weighed)
        wanted = self._had[found][:, [item_row]].toarray().ravel() * votes
        shared = (self._near[taste.rows][:, found] @ wanted) * weighed
        return grounds("because_item", taste.rows, np.asarray(shared, dtype=np.float32))

    def state(self) -> Mapping[str, Array]:
        """Return people's lists, without their names."""
        had = self._had
        return {
            "starts": had.indptr.astype(np.int64),
            "items": had.indices.astype(np.int32),
            "weights": had.data.astype(np.float32),
            "n_items": np.array([self._n_items]),
            "day": np.array([self._day]),
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        from scipy.sparse import csr_array

        self._day = float(state["day"][0])
        shape = (len(state["starts"]) - 1, int(state["n_items"][0]))
        self._keep(csr_array((state["weights"], state["items"], state["starts"]), shape=shape))
        return self


def _likeness(had: csr_array, rarity: F32, config: UserKnnConfig) -> csr_array:
    """Return people x items: what a person's having an item adds to the likeness of one who asks."""
    weighed = had.copy()
    if config.weighting == "bm25":
        lengths = np.asarray(had.sum(axis=1)).ravel()
        norm = 1.0 - config.b + config.b * lengths / max(lengths.mean() if len(lengths) else 1.0, 1e-12)
        each = np.repeat(_K1 * norm, np.diff(had.indptr))
        weighed.data = (had.data * (_K1 + 1.0) / (had.data + each) * rarity[had.indices]).astype(np.float32)
        return weighed
    weighed.data = had.data * rarity[had.indices]
    lengths = np.sqrt(np.asarray(weighed.power(2).sum(axis=1)).ravel())
    return scale_rows(weighed, 1.0 / np.maximum(lengths + config.shrink, 1e-12))
