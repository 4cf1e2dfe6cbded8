"""What the people that someone is connected with took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.features.base import Moment

_MAX_FRIENDS = 500


class Friends:
    """Friends in rows (strongest first, at most 500 each) and what each person took, both as offsets and values."""

    name = "links"

    def __init__(self) -> None:
        """Start with no links."""
        self.friends: tuple[I64, I32, F32] | None = None
        self.taken: tuple[I64, I32] = (np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))
        self.since: dict[int, set[int]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns; none without links."""
        return ("friends_took", "friends_share") if self.friends is not None else ()

    def fit(self, data: Dataset) -> Self:
        """Learn who is connected with whom, and who took what."""
        self.friends, self.since = None, {}
        if data.links is None or len(data.links) == 0:
            return self
        self.friends = _adjacency(data)
        liked = data.interactions.positives()
        pair = np.unique(liked.user_rows.astype(np.int64) * data.n_items + liked.item_rows)
        counts = np.bincount(pair // data.n_items, minlength=data.n_users)
        self.taken = (np.concatenate([[0], np.cumsum(counts)]), (pair % data.n_items).astype(np.int32))
        return self

    def update(self, events: Interactions) -> None:
        """Add what people take from now on; what somebody took before counts once."""
        if self.friends is None:
            return
        liked = events.positive
        for user, item in zip(events.user_rows[liked].tolist(), events.item_rows[liked].tolist(), strict=True):
            if 0 <= user < len(self.taken[0]) - 1 and item not in self._taken_by(user):
                self.since.setdefault(user, set()).add(item)

    def _taken_by(self, user: int) -> I32:
        """Return the items (n,) that a person had taken when this was fitted."""
        return self.taken[1][self.taken[0][user] : self.taken[0][user + 1]]

    def compute(self, moment: Moment) -> F32:
        """Return (2, N): log(1 + weight of friends who took the item), and its share of all friends' weight."""
        n_items, offsets = moment.query.n_items, moment.items.offsets
        if self.friends is None:
            return np.empty((0, len(moment.items.item_rows)), dtype=np.float32)
        out = np.zeros((2, len(moment.items.item_rows)), dtype=np.float32)
        for person, user in enumerate(moment.query.user_rows.tolist()):
            weight, total = self._weights(user, n_items)
            span = slice(offsets[person], offsets[person + 1])
            if total > 0:
                mine = weight[moment.items.item_rows[span]]
                out[0, span], out[1, span] = np.log1p(mine), mine / total
        return out

    def _weights(self, user: int, n_items: int) -> tuple[F32, float]:
        assert self.friends is not None
        starts, friends, strengths = self.friends
        if user < 0 or user + 1 >= len(starts):
            return np.zeros(0, dtype=np.float32), 0.0
        span = slice(starts[user], starts[user + 1])
        weight = np.zeros(n_items, dtype=np.float32)
        for friend, strength in zip(friends[span].tolist(), strengths[span].tolist(), strict=True):
            weight[self._taken_by(friend)] += strength
            if since := self.since.get(friend):
                rows = np.array(list(since), dtype=np.int64)
                weight[rows[rows < n_items]] += strength  # an item may have come while this question was asked
        return weight, float(strengths[span].sum())

    def state(self) -> Mapping[str, Array]:
        """Return links and takings, those since the fit included, as arrays."""
        if self.friends is None:
            return {}
        starts, friends, strengths = self.friends
        lists = [[*self._taken_by(user), *sorted(self.since.get(user, ()))] for user in range(len(self.taken[0]) - 1)]
        taken = Jagged.from_lists(lists)
        arrays: dict[str, Array] = {"taken_starts": taken.offsets, "taken_items": taken.values}
        return {"starts": starts, "friends": friends, "strengths": strengths, **arrays}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        if "starts" in state:
            self.friends = (np.asarray(state["starts"]), np.asarray(state["friends"]), np.asarray(state["strengths"]))
            self.taken, self.since = (np.asarray(state["taken_starts"]), np.asarray(state["taken_items"])), {}
        return self


def _adjacency(data: Dataset) -> tuple[I64, I32, F32]:
    assert data.links is not None
    frame = data.links.frame
    user, friend = data.user_ids.rows(frame["user_id"]), data.user_ids.rows(frame["friend_id"])
    weight = frame["weight"].fill_null(1.0).to_numpy() if "weight" in frame.columns else np.ones(len(user))
    known = (user >= 0) & (friend >= 0)
    user, friend, weight = user[known], friend[known], weight[known].astype(np.float32)
    order = np.lexsort((-weight, user))
    user, friend, weight = user[order], friend[order], weight[order]
    starts = np.searchsorted(user, np.arange(data.n_users + 1))
    kept = np.arange(len(user)) - starts[user] < _MAX_FRIENDS
    starts = np.searchsorted(user[kept], np.arange(data.n_users + 1))
    return starts.astype(np.int64), friend[kept], weight[kept].astype(np.float32)
