"""What the people around someone took: their friends, friends of friends, and people of their taste."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.kernels.jagged import from_lengths, take_rows
from inkling.kernels.topk import topk
from inkling.retrieval._circles import Circles, Common
from inkling.retrieval._dense import gather, retrieve
from inkling.retrieval._matrix import Signal, column_sums, people_by_items, signals
from inkling.retrieval._taste import AtLeastZero, Count, Positive, Share, Taste, TasteConfig, day_length, decay, tastes
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class SocialConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``social``."""

    circles: AtLeastZero = 0.2
    """What overlapping circles of friends (friends, and friends of friends) are worth beside an equal taste."""
    trust: AtLeastZero = 1.0
    """How many times more a friend's taste counts than a stranger's with the same taste: 1 + trust x link's weight."""
    taste: AtLeastZero = 1.0
    """What a taste in common is worth; 0 asks friends only."""
    neighbours: Annotated[int, msgspec.Meta(ge=1)] = 100
    """So many people are listened to, those nearest."""
    sharpness: Positive = 1.0
    """Power of nearness: the larger, the more the nearest people decide."""
    popularity: Share = 0.3
    """Power of an item's popularity that its votes are divided by: 0 favours what everyone takes."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 180.0
    """Age at which what somebody took counts half; 0 is no decay."""
    max_friends: Count = 500
    """So many of a person's strongest links are read; 0 reads all."""
    max_takers: Count = 2_000
    """Likeness of taste looks at so many takers of an item, the strongest votes first; 0 looks at all."""
    suggest: Common = "adamic_adar"
    """How friends in common suggest people: by rarity (Adamic and Adar 2003), counted, or as a share (Jaccard)."""
    suggest_taste: AtLeastZero = 0.0
    """What an equal taste adds to a suggested person's score, as a share of the largest score of friends in common."""


class Social:
    """Friends' tastes: neighbours by links and by taste vote for items, each vote worth the neighbour's nearness.

    Nearness of u and v is taste(u, v) (1 + trust w(u, v)) + circles cos(circle of u, circle of v): the cosine of what
    both took (weighed by rarity), raised for friends as similarity weighs them in SoReg (Ma et al. 2011), plus the
    overlap of circles, which reaches two steps and stands in where taste is not known, the part of the walk in
    TrustWalker (Jamali and Ester 2009). ``people`` suggests friends (Liben-Nowell and Kleinberg 2003).

    Friends are looked up by person, taste by history: somebody unknown is answered by taste alone, somebody without a
    history by friends alone. ``update`` counts what people take after the fit.
    """

    name = "social"
    Config = SocialConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"circles": 0.1, "trust": 0.0},
        {"circles": 0.1, "trust": 0.0, "sharpness": 1.5, "popularity": 0.2},
        {"circles": 0.5, "trust": 4.0, "popularity": 0.0},
    )
    space: ClassVar[Space] = {
        "circles": Real(0.01, 2.0, log=True),
        "trust": Real(0.0, 8.0),
        "neighbours": Whole(20, 500, log=True),
        "sharpness": Real(0.5, 2.0),
        "popularity": Real(0.0, 0.6),
        "signal": Choice(("binary", "log")),
    }

    def __init__(self, config: SocialConfig | None = None) -> None:
        self.config = config or SocialConfig()
        self._day = np.inf
        self._since: dict[int, dict[int, float]] = {}
        self._take(_nothing())

    @cached_property
    def _circles(self) -> Circles:
        """The links; of nobody until there are some, and not made before they are asked for: scipy takes 20 MB."""
        return Circles.none()

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn who is connected with whom, and who took what.

        Raises:
            DataError: The data has no link between its people, or no positive event.
        """
        self._circles = Circles.of(data, name=self.name, max_friends=self.config.max_friends)
        events = signals(data, name=self.name)
        self._day = day_length(data)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, self._day)
        taken = people_by_items(events, weights, (data.n_users, data.n_items), signal=self.config.signal)
        self._take(taken)
        self._since = {}
        return self

    def _take(self, taken: csr_array) -> None:
        """Prepare what scoring reads from people x items."""
        self._taken = taken
        self._sizes = column_sums(taken)
        self._penalty = (np.maximum(self._sizes, 1.0) ** -self.config.popularity).astype(np.float32)
        self._rarity = np.log1p(max(taken.shape[0], 1) / np.maximum(self._sizes, 1e-3)).astype(np.float32)
        self._takers = _takers(taken, self._rarity, self.config.max_takers)

    def update(self, events: Interactions) -> None:
        """Add what people take from now on to their votes; nearness stays as it was fitted."""
        good = (events.weights > 0) & (events.user_rows >= 0) & (events.item_rows >= 0)
        columns = (events.user_rows[good].tolist(), events.item_rows[good].tolist(), events.weights[good].tolist())
        for user, item, weight in zip(*columns, strict=True):
            own = self._since.setdefault(user, {})
            own[item] = max(own.get(item, 0.0), weight)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what the people around each person took."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for person, (row, taste) in enumerate(zip(out, self._tastes(query), strict=True)):
            near, worth, _ = self._around(int(query.user_rows[person]), taste)
            if len(near):
                self._add_votes(row, near, worth)
        return out

    def _tastes(self, query: Query) -> Any:
        return tastes(query, self._taken.shape[1], self.config, self._day)

    def _add_votes(self, row: F32, near: I32, worth: F32) -> None:
        """Add to ``row`` (n_items,) what each of ``near`` took, times what their word is worth."""
        starts, at = take_rows(self._taken.indptr, near)
        votes = np.repeat(worth, np.diff(starts)) * self._taken.data[at]
        width = min(len(row), len(self._penalty))
        items = self._taken.indices[at]
        row[:width] = (np.bincount(items, votes, len(self._penalty)) * self._penalty)[:width]
        for user, weight in zip(near.tolist(), worth.tolist(), strict=True) if self._since else ():
            for item, amount in self._since.get(user, {}).items():
                if item < len(row) and not self._took(user, item):
                    row[item] += weight * amount * (self._penalty[item] if item < width else 1.0)

    def _took(self, user: int, item: int) -> bool:
        return item in self._taken.indices[self._taken.indptr[user] : self._taken.indptr[user + 1]]

    def _around(self, user_row: int, taste: Taste) -> tuple[I32, F32, F32]:
        """Return the people nearest to someone, what their word is worth, and the links' part of it (0 to 1)."""
        friends, strengths = self._circles.friends(user_row)
        alike = self._alike(taste) * np.float32(self.config.taste)
        circle = np.float32(self.config.circles) * self._circles.nearness(user_row)
        linked = circle.copy()
        linked[friends] += alike[friends] * np.float32(self.config.trust) * strengths
        near = alike + linked
        if 0 <= user_row < len(near):
            near[user_row] = 0.0
        found, best = topk(near, self.config.neighbours, mask=near > 0)
        return found, best ** np.float32(self.config.sharpness), linked[found] / best

    def _alike(self, taste: Taste) -> F32:
        """Return the cosines (people,) of a taste with what everyone took."""
        own = taste.weights * self._rarity[taste.rows]
        length = float(np.sqrt(own @ own))
        if not length:
            return np.zeros(len(self._circles), dtype=np.float32)
        starts, people, votes = self._takers
        spans, at = take_rows(starts, taste.rows)
        products = np.repeat(own / np.float32(length), np.diff(spans)) * votes[at]
        return np.bincount(people[at], products, len(self._circles)).astype(np.float32)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that the people around each person took most."""
        return retrieve(self, query, k)

    def people(self, user_rows: I32, k: int) -> Candidates:
        """Return for each person the k people to connect with: friends in common, and tastes where set so.

        Rows of the answer are rows of people, not of items. Somebody's friends and themselves are left out.
        """
        return gather([self._suggested(int(row), k) for row in user_rows], source=self.name)

    def _suggested(self, user_row: int, k: int) -> tuple[I32, F32]:
        found = self._circles.common(user_row, self.config.suggest)
        if self.config.suggest_taste > 0 and 0 <= user_row < len(found):
            largest = float(found.max(initial=0.0)) or 1.0
            found = found + self.config.suggest_taste * largest * self._alike(self._taste_of(user_row))
        mask = found > 0
        mask[self._circles.friends(user_row)[0]] = False
        if 0 <= user_row < len(mask):
            mask[user_row] = False
        return topk(found.astype(np.float32), k, mask=mask)

    def _taste_of(self, user_row: int) -> Taste:
        own = slice(*self._taken.indptr[user_row : user_row + 2])
        return Taste(self._taken.indices[own].astype(np.int32), self._taken.data[own])

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the parts of a score that come from links (``friends``) and from people of a like taste."""
        if not 0 <= item_row < query.n_items:
            return ()
        near, worth, linked = self._around(int(query.user_rows[0]), next(self._tastes(query)))
        parts = []
        for share, kind in ((linked, "friends"), (1.0 - linked, "people")):
            row = np.zeros(query.n_items, dtype=np.float32)
            self._add_votes(row, near, (worth * share).astype(np.float32))
            parts.append(Because(kind, -1, float(row[item_row])))
        return tuple(sorted((part for part in parts if part.weight > 0), key=lambda part: -part.weight))

    def state(self) -> Mapping[str, Array]:
        """Return links and takings, those since the fit included."""
        lengths = np.array([len(own) for own in self._since.values()], dtype=np.int32)
        rows = [row for own in self._since.values() for row in own.items()]
        return {
            **self._circles.to_arrays(),
            "n_taken": np.diff(self._taken.indptr).astype(np.int32),
            "taken": self._taken.indices.astype(np.int32),
            "amounts": self._taken.data,
            "n_items": np.array([self._taken.shape[1]], dtype=np.int64),
            "since_people": np.repeat(np.array(list(self._since), dtype=np.int32), lengths),
            "since_items": np.array([item for item, _ in rows], dtype=np.int32),
            "since_amounts": np.array([amount for _, amount in rows], dtype=np.float32),
            "day": np.array([self._day]),
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        from scipy.sparse import csr_array

        self._circles, self._day = Circles.from_arrays(state), float(state["day"][0])
        starts = from_lengths(np.asarray(state["n_taken"], dtype=np.int64))
        shape = (len(state["n_taken"]), int(state["n_items"][0]))
        self._take(csr_array((state["amounts"], state["taken"], starts), shape=shape))
        self._since = {}
        columns = (state["since_people"].tolist(), state["since_items"].tolist(), state["since_amounts"].tolist())
        for user, item, amount in zip(*columns, strict=True):
            self._since.setdefault(user, {})[item] = amount
        return self


def _nothing() -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((0, 0), dtype=np.float32)


def _takers(taken: csr_array, rarity: F32, limit: int) -> tuple[Array, I32, F32]:
    """Return who took each item, as starts (n_items + 1,), people and votes (M,): parts of vectors of length one."""
    weighed = taken.multiply(rarity[None, :]).tocsr()
    lengths: F64 = np.sqrt(np.asarray(weighed.power(2).sum(axis=1), dtype=np.float64)).ravel()
    by_item = weighed.T.tocsr()
    votes = by_item.data / np.maximum(lengths, 1e-12)[by_item.indices]
    items = np.repeat(np.arange(by_item.shape[0]), np.diff(by_item.indptr))
    order = np.lexsort((-votes, items))
    kept = order[np.arange(len(items)) - by_item.indptr[items[order]] < (limit or len(items))]
    starts = np.searchsorted(items[kept], np.arange(by_item.shape[0] + 1)).astype(np.int64)
    return starts, by_item.indices[kept].astype(np.int32), votes[kept].astype(np.float32)
