"""What one search over vectors sees: a base that never changes, what came beside it since, and what is gone."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.stores._ivf_index import IvfIndex, selector_of, spare

ROOM = 256
_MASKS_KEPT = 4
_FEW = 4096  # so few allowed vectors are looked at one by one


@dataclass(frozen=True, slots=True)
class Mask:
    """Which positions of a base may be found, as faiss reads it, and how many they are."""

    of: Bool  # the mask itself: while it is kept, no other can have its identity
    usable: Bool
    selector: Any
    n: int


@dataclass(frozen=True, slots=True)
class Base:
    """Vectors as numbers, as an index, or as both; without an index all are alive."""

    vectors: F32 | None  # (n, dim)
    rows: I32  # (n,) -1 where an index holds what is gone
    place: I32  # (highest row + 1,) position of a row, -1 nowhere
    index: IvfIndex | None
    n_live: int
    in_order: bool  # the rows are 0, 1, 2 ...
    masks: OrderedDict[int, Mask] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, vectors: F32 | None, rows: I32, index: IvfIndex | None) -> Base:
        """Return a base of these vectors."""
        place = np.full(int(rows.max()) + 1 if len(rows) else 0, -1, dtype=np.int32)
        at = np.flatnonzero(rows >= 0)
        place[rows[at]] = at
        in_order = bool((rows == np.arange(len(rows), dtype=np.int32)).all())
        return cls(vectors, rows, place, index, len(at), in_order)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, rows: Array) -> I32:
        """Return the positions of rows; -1 where they are not here."""
        if not len(self.place):
            return np.full(len(rows), -1, dtype=np.int32)
        inside = (rows >= 0) & (rows < len(self.place))
        found: I32 = np.where(inside, self.place[np.where(inside, rows, 0)], np.int32(-1))
        return found

    def get(self, positions: Array) -> F32:
        """Return vectors (m, dim)."""
        if self.vectors is not None:
            return self.vectors[positions]
        assert self.index is not None
        return self.index.decoded(positions)

    def mask(self, allowed: Bool) -> Mask:
        """Return which positions ``allowed`` lets through; one that cannot change is looked at once."""
        known = self.masks.get(id(allowed))
        if known is not None and known.of is allowed:
            return known
        n = len(self)
        usable = allowed[:n] if self.in_order and n <= len(allowed) else allows(allowed, self.rows)
        made = Mask(allowed, usable, None if self.index is None else selector_of(usable), int(np.count_nonzero(usable)))
        if not allowed.flags.writeable:
            self.masks[id(allowed)] = made
            while len(self.masks) > _MASKS_KEPT:
                self.masks.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a table. The arrays beside the base are shared with later states, which only write behind ``n``."""

    base: Base
    gone: I32  # positions of the base that were replaced or deleted, ascending
    beside: F32  # (capacity, dim)
    beside_rows: I32  # (capacity,) -1 where replaced or deleted
    n: int  # how many lie beside
    n_live: int

    def get(self, rows: I32) -> F32:
        """Return the vectors (m, dim) of rows; zeros where there is none."""
        out = np.zeros((len(rows), self.beside.shape[1]), dtype=np.float32)
        at = self.base.at(rows)
        there = (at >= 0) & ~contains(self.gone, at)
        if there.any():
            out[there] = self.base.get(at[there])
        if self.n:
            own = self.beside_rows[: self.n]
            order = np.argsort(own, kind="stable")
            place = np.minimum(np.searchsorted(own, rows, sorter=order), self.n - 1)
            here = (own[order[place]] == rows) & (rows >= 0)
            out[here] = self.beside[order[place[here]]]
        return out

    def live(self) -> tuple[I32, F32]:
        """Return rows and vectors beside the base that count."""
        at = np.flatnonzero(self.beside_rows[: self.n] >= 0)
        return self.beside_rows[at], self.beside[at]

    def top(self, queries: F32, k: int, allowed: Bool | None) -> tuple[F32, I32]:
        """Return scores and rows (B, m) that include the k best, in any order; -inf or -1 is no candidate."""
        index, mask = self.base.index, None if allowed is None else self.base.mask(allowed)
        if mask is not None and mask.n == self.base.n_live:
            mask = None
        if index is None or not len(self.base):
            scores, rows = self._scanned(queries, mask)
        elif mask is not None and mask.n <= max(k, _FEW):
            scores, rows = self._picked(queries, mask.usable)
        else:
            scores, rows = self._looked_up(index, queries, k, mask)
        if not self.n:
            return scores, rows
        own = self.beside_rows[: self.n]
        near = queries @ self.beside[: self.n].T
        if allowed is not None:
            own = np.where(allows(allowed, own), own, np.int32(-1))
        return np.hstack([scores, near]), np.hstack([rows, np.broadcast_to(own, near.shape)])

    def _scanned(self, queries: F32, mask: Mask | None) -> tuple[F32, I32]:
        assert self.base.vectors is not None
        if mask is not None and 4 * mask.n < len(self.base):
            return self._picked(queries, mask.usable)
        scores = queries @ self.base.vectors.T
        if mask is not None:
            scores[:, ~mask.usable] = -np.inf
        if len(self.gone):
            scores[:, self.gone] = -np.inf
        return scores, np.broadcast_to(self.base.rows, scores.shape)

    def _picked(self, queries: F32, usable: Bool) -> tuple[F32, I32]:
        at = np.flatnonzero(usable)
        at = at[~contains(self.gone, at)]
        scores = queries @ self.base.get(at).T
        return scores, np.broadcast_to(self.base.rows[at], scores.shape)

    def _looked_up(self, index: IvfIndex, queries: F32, k: int, mask: Mask | None) -> tuple[F32, I32]:
        width = index.width(k, share=1.0 if mask is None else mask.n / len(self.base))
        wanted = min(k + spare(k), len(self.base))
        selector = None if mask is None else mask.selector
        scores, at = index.search(queries, wanted, width=width, selector=selector)
        rows = self._alive(at)
        if (
            int((rows < 0).sum(axis=1).max(initial=0)) > wanted - k
            and len(self.gone) + len(self.base) > self.base.n_live
        ):
            usable = self.base.rows >= 0 if mask is None else mask.usable.copy()
            usable[self.gone] = False  # more are gone than were fetched to spare
            scores, at = index.search(queries, wanted, width=width, selector=selector_of(usable))
            rows = self._alive(at)
        return self._exact(queries, at, scores), rows

    def _alive(self, at: I64) -> I32:
        """Return the rows (B, m) of positions that an index found; -1 where there is none any more."""
        rows: I32 = self.base.rows.take(at, mode="clip")
        rows[at < 0] = -1
        if len(self.gone):
            rows[contains(self.gone, at)] = -1
        return rows

    def _exact(self, queries: F32, at: I64, scores: F32) -> F32:
        """Return the true inner products where the vectors are kept, else those of the codes."""
        vectors = self.base.vectors
        if vectors is None:
            return scores
        exact: F32
        if len(queries) == 1:
            exact = (vectors.take(at[0], axis=0, mode="clip") @ queries[0])[None]
            return exact
        exact = np.einsum("bkd,bd->bk", vectors.take(at, axis=0, mode="clip"), queries)
        return exact


def room(dim: int, n: int) -> tuple[F32, I32]:
    """Return places for ``n`` vectors and their rows."""
    return np.empty((n, dim), dtype=np.float32), np.full(n, -1, dtype=np.int32)


def contains(ascending: I32, values: Array) -> Bool:
    """Return which values are among ascending ones."""
    if not len(ascending):
        return np.zeros(values.shape, dtype=np.bool_)
    place = ascending.searchsorted(values)
    found: Bool = ascending.take(place, mode="clip") == values
    return found


def allows(allowed: Bool, rows: I32) -> Bool:
    """Return which rows (n,) are allowed; those beyond the mask, and those below 0, are not."""
    inside = (rows >= 0) & (rows < len(allowed))
    inside[inside] = allowed[rows[inside]]
    return inside


def best(scores: F32, rows: I32, k: int) -> tuple[I32, F32]:
    """Return rows (B, k) and scores (B, k) of the k best columns of each line, padded where there are fewer."""
    if len(scores) == 1:
        found, values = _best_of_one(scores[0], rows[0], k)
        lacking = k - len(found)
        if not lacking:
            return found[None], values[None]
        return np.pad(found, (0, lacking), constant_values=-1)[None], np.pad(
            values, (0, lacking), constant_values=-np.inf
        )[None]
    out = np.full((len(scores), k), -1, dtype=np.int32), np.full((len(scores), k), -np.inf, dtype=np.float32)
    for at in range(len(scores)):
        found, values = _best_of_one(scores[at], rows[at], k)
        out[0][at, : len(found)], out[1][at, : len(found)] = found, values
    return out


def _best_of_one(scores: F32, rows: I32, k: int) -> tuple[I32, F32]:
    """Return the k best of one line, equal ones by row; what is -inf or has no row is left out."""
    usable = (rows >= 0) & (scores > -np.inf)
    if not usable.all():
        scores, rows = scores[usable], rows[usable]
    if len(scores) > k > 0:
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = scores >= least
        scores, rows = scores[kept], rows[kept]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order].astype(np.int32, copy=False), scores[order].astype(np.float32, copy=False)
