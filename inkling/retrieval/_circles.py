"""Who is connected with whom, and what that says: circles that overlap, people who are not connected yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.kernels.jagged import from_lengths, take_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Common = Literal["adamic_adar", "common", "jaccard"]


@dataclass(frozen=True)
class Circles:
    """Links between people, as rows of a sparse matrix: row u holds the friends of u and how strong each link is."""

    links: csr_array  # (people, people) float32, above 0, without a diagonal

    @classmethod
    def of(cls, data: Dataset, *, name: str, max_friends: int) -> Circles:
        """Read the links of a data set; of each person the strongest ``max_friends`` (0: all).

        Raises:
            DataError: The data has no link between people that it knows.
        """
        from scipy.sparse import csr_array

        user, friend, weight = _edges(data)
        if not len(user):
            raise DataError(
                f"'{name}' cannot be fitted: the data links no two of its people.",
                hint="Give it a table 'links' with the columns user_id, friend_id and weight.",
            )
        order = np.lexsort((-weight, user))
        user, friend, weight = user[order], friend[order], weight[order]
        starts = np.searchsorted(user, np.arange(data.n_users + 1))
        kept = np.arange(len(user)) - starts[user] < (max_friends or len(user))
        return cls(csr_array((weight[kept], (user[kept], friend[kept])), shape=(data.n_users, data.n_users)))

    @classmethod
    def none(cls) -> Circles:
        """Return the links of nobody."""
        from scipy.sparse import csr_array

        return cls(csr_array((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        return int(self.links.shape[0])

    def friends(self, user_row: int) -> tuple[I32, F32]:
        """Return a person's friends and their links' strengths; nobody for people who are not known."""
        if not 0 <= user_row < len(self):
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        own = slice(*self.links.indptr[user_row : user_row + 2])
        return self.links.indices[own].astype(np.int32), self.links.data[own]

    @cached_property
    def rarity(self) -> F64:
        """Return (people,) 1 / log(number of people who link to somebody): who knows everyone says little."""
        counts = np.bincount(self.links.indices, minlength=len(self))
        return np.asarray(1.0 / np.log(np.maximum(counts, 2)))

    @cached_property
    def _circles(self) -> tuple[csr_array, csr_array]:
        """Return each person's circle (themselves and their friends) as a row of length one, and the transpose."""
        from scipy.sparse import csr_array, diags_array

        circle = self.links / max(float(self.links.data.max(initial=0.0)), 1e-12)
        circle = csr_array((circle + diags_array(np.ones(len(self)))) @ diags_array(self.rarity))
        lengths = np.sqrt(np.asarray(circle.power(2).sum(axis=1)).ravel())
        unit = csr_array(diags_array(1.0 / lengths) @ circle).astype(np.float32)
        return unit, csr_array(unit.T)

    def nearness(self, user_row: int) -> F32:
        """Return the cosines (people,) of a person's circle with all others': friends, and friends of friends."""
        if not 0 <= user_row < len(self):
            return np.zeros(len(self), dtype=np.float32)
        circles, members = self._circles
        own = slice(*circles.indptr[user_row : user_row + 2])
        spans, at = take_rows(members.indptr, circles.indices[own])
        products = np.repeat(circles.data[own], np.diff(spans)) * members.data[at]
        return np.bincount(members.indices[at], products, len(self)).astype(np.float32)

    def common(self, user_row: int, how: Common) -> F64:
        """Return what speaks for a link (people,): friends in common, plain, by rarity, or as a share of all friends.

        Friends are whom a person links to, or who links to them; direct friends are counted like everyone.
        """
        both, sizes = self._undirected
        if not 0 <= user_row < len(self):
            return np.zeros(len(self))
        own = both.indices[both.indptr[user_row] : both.indptr[user_row + 1]]
        votes = 1.0 / np.log(np.maximum(sizes[own], 2)) if how == "adamic_adar" else np.ones(len(own))
        found = np.asarray(votes @ both[own]).ravel() if len(own) else np.zeros(len(self))
        return found / np.maximum(sizes[user_row] + sizes - found, 1) if how == "jaccard" else found

    @cached_property
    def _undirected(self) -> tuple[csr_array, F64]:
        """Return the links as ones in both directions, and how many friends everyone (people,) has."""
        both = self.links + self.links.T
        both.data = np.ones(len(both.data))
        both = both.tocsr()
        return both, np.diff(both.indptr).astype(np.float64)

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes."""
        lengths = np.diff(self.links.indptr).astype(np.int32)
        return {"n_friends": lengths, "friends": self.links.indices.astype(np.int32), "links": self.links.data}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Circles:
        """Build from the arrays of :meth:`to_arrays`."""
        from scipy.sparse import csr_array

        starts, n = from_lengths(np.asarray(arrays["n_friends"], dtype=np.int64)), len(arrays["n_friends"])
        return cls(csr_array((arrays["links"], arrays["friends"], starts), shape=(n, n)))


def _edges(data: Dataset) -> tuple[I32, I32, F32]:
    """Return who links to whom and how strongly, in rows; the weight is 1 where none is given."""
    if data.links is None or not len(data.links):
        none = np.empty(0, dtype=np.int32)
        return none, none, np.empty(0, dtype=np.float32)
    frame = data.links.frame
    user, friend = data.user_ids.rows(frame["user_id"]), data.user_ids.rows(frame["friend_id"])
    weight = np.ones(len(user), dtype=np.float32)
    if "weight" in frame.columns:
        weight = frame["weight"].fill_null(1.0).to_numpy().astype(np.float32)
    known = (user >= 0) & (friend >= 0) & (user != friend) & (weight > 0)
    user, friend, weight = user[known], friend[known], weight[known]
    # A link that is told twice counts once, as strongly as it is told at most.
    order = np.lexsort((-weight, friend, user))
    keys = user[order].astype(np.int64) * data.n_users + friend[order]
    first = order[np.flatnonzero(np.diff(keys, prepend=-1))]
    return user[first], friend[first], weight[first]
