"""Vectors by row, growing while they are searched: exact up to some ten thousands, indexed beyond."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I32, I64, Bool
from inkling.core.errors import RequestError

EXACT_UP_TO = 50_000
_MOST_BESIDE = 1024


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one search sees: a base that never changes, what came or went since, and an index of the base.

    ``place`` (n_rows,) is where a row's vector lies: below ``len(base)`` in the base, from there on in ``beside``, -1
    nowhere. Base vectors that were replaced or deleted are ``stale``.
    """

    base: F32  # (n_base, dim)
    base_rows: I32  # (n_base,)
    stale: Bool  # (n_base,)
    beside: F32  # (n_beside, dim)
    beside_rows: I32  # (n_beside,) -1 where replaced or deleted
    place: I64  # (n_rows,)
    index: Any


class VectorTable:
    """Unit-free vectors (dim,) float32 by row, searched by inner product.

    A writer puts together a new snapshot and publishes it in one step; a reader keeps the one that it started with, so
    nobody ever sees half a vector. New vectors lie beside the base and are scanned exactly; from time to time they are
    folded into it. Above ``exact_up_to`` vectors the base is searched through a faiss index (an exact scan there, too:
    what it saves is memory traffic for batches).
    """

    def __init__(self, dim: int, *, exact_up_to: int = EXACT_UP_TO) -> None:
        """Start empty, for vectors of ``dim`` numbers."""
        self.dim = dim
        self._exact_up_to = exact_up_to
        self._lock = Lock()
        none = np.empty(0, dtype=np.int32)
        self._now = self._fold(np.empty((0, dim), dtype=np.float32), none)

    def __len__(self) -> int:
        return int((self._now.place >= 0).sum())

    def put(self, rows: I32, vectors: F32) -> None:
        """Write the vectors (n, dim) of n rows; of a row that comes twice, the last one counts.

        Raises:
            RequestError: The vectors are of another shape or not finite, or a row is below 0.
        """
        if vectors.shape != (len(rows), self.dim) or not np.isfinite(vectors).all() or (len(rows) and rows.min() < 0):
            raise RequestError(
                f"Vectors of shape {vectors.shape} for {len(rows)} rows; expected ({len(rows)}, {self.dim}), finite."
            )
        if not len(rows):
            return
        last = np.sort(len(rows) - 1 - np.unique(rows[::-1], return_index=True)[1])
        rows, vectors = rows[last].astype(np.int32), vectors[last].astype(np.float32)
        with self._lock:
            now = self._without(self._now, rows, n_rows=int(rows.max()) + 1)
            place = now.place.copy()
            place[rows] = len(now.base) + len(now.beside) + np.arange(len(rows))
            beside = np.concatenate([now.beside, vectors])
            beside_rows = np.concatenate([now.beside_rows, rows])
            fresh = _Snapshot(now.base, now.base_rows, now.stale, beside, beside_rows, place, now.index)
            self._now = self._folded(fresh) if len(beside) > max(_MOST_BESIDE, len(now.base) // 20) else fresh

    def delete(self, rows: I32) -> int:
        """Find the vectors of rows no more; return how many there were. ``compact`` takes them out of memory."""
        with self._lock:
            known = np.unique(rows[(rows >= 0) & (rows < len(self._now.place))])
            there = known[self._now.place[known] >= 0]
            if len(there):
                now = self._without(self._now, there, n_rows=0)
                self._now = self._folded(now) if now.stale.sum() > max(_MOST_BESIDE, len(now.base) // 20) else now
            return len(there)

    def compact(self) -> None:
        """Fold everything into one matrix now: what was deleted or replaced leaves memory."""
        with self._lock:
            self._now = self._folded(self._now)

    def _without(self, now: _Snapshot, rows: I32, *, n_rows: int) -> _Snapshot:
        place = np.concatenate([now.place, np.full(max(n_rows - len(now.place), 0), -1, dtype=np.int64)])
        old = place[rows]
        stale, beside_rows = now.stale.copy(), now.beside_rows.copy()
        stale[old[(old >= 0) & (old < len(stale))]] = True
        beside_rows[old[old >= len(stale)] - len(stale)] = -1
        place[rows] = -1
        return _Snapshot(now.base, now.base_rows, stale, now.beside, beside_rows, place, now.index)

    def _folded(self, now: _Snapshot) -> _Snapshot:
        """Return the same content with nothing beside the base."""
        live = now.beside_rows >= 0
        base = np.concatenate([now.base[~now.stale], now.beside[live]])
        return self._fold(base, np.concatenate([now.base_rows[~now.stale], now.beside_rows[live]]))

    def _fold(self, base: F32, rows: I32) -> _Snapshot:
        place = np.full(int(rows.max()) + 1 if len(rows) else 0, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        index = _flat_index(base) if len(base) > self._exact_up_to else None
        nothing = np.empty((0, self.dim), dtype=np.float32)
        stale = np.zeros(len(rows), dtype=np.bool_)
        return _Snapshot(base, rows, stale, nothing, np.empty(0, dtype=np.int32), place, index)

    def get(self, rows: I32) -> F32:
        """Return the vectors (n, dim) of rows; zeros where there is none."""
        now = self._now
        known = (rows >= 0) & (rows < len(now.place))
        place = np.full(len(rows), -1, dtype=np.int64)
        place[known] = now.place[rows[known]]
        out = np.zeros((len(rows), self.dim), dtype=np.float32)
        in_base = (place >= 0) & (place < len(now.base))
        out[in_base] = now.base[place[in_base]]
        in_beside = place >= len(now.base)
        out[in_beside] = now.beside[place[in_beside] - len(now.base)]
        return out

    def top(self, queries: F32, k: int, *, allowed: Bool | None = None) -> tuple[I32, F32]:
        """Return the rows (B, k) of the largest inner products and these (B, k), best first; equal ones by row.

        Args:
            queries: (B, dim).
            k: How many; where there are fewer, rows are -1 and scores -inf.
            allowed: (n_items,) which rows may be found; rows beyond it may not.

        Raises:
            RequestError: The queries are of another width.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise RequestError(f"Queries of shape {queries.shape}; expected (B, {self.dim}).")
        now = self._now
        beside_ok = (now.beside_rows >= 0) & _allows(allowed, now.beside_rows)
        base_ok = ~now.stale & _allows(allowed, now.base_rows)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        scores, rows = _search_base(now, queries, k, base_ok)
        if len(now.beside):
            near = queries @ now.beside[beside_ok].T
            rows = np.hstack([rows, np.broadcast_to(now.beside_rows[beside_ok], near.shape)])
            scores = np.hstack([scores, near])
        return _best(scores, rows, max(k, 0))


def _allows(allowed: Bool | None, rows: I32) -> Bool:
    if allowed is None:
        return np.ones(len(rows), dtype=np.bool_)
    inside = (rows >= 0) & (rows < len(allowed))
    inside[inside] = allowed[rows[inside]]
    return inside


def _flat_index(base: F32) -> Any:
    index = _faiss().IndexFlatIP(base.shape[1])
    index.add(base)
    return index


def _faiss() -> Any:
    """Return faiss, untyped: its stubs do not know what its Python side adds."""
    return importlib.import_module("faiss")


def _search_base(now: _Snapshot, queries: F32, k: int, usable: Bool) -> tuple[F32, I32]:
    if now.index is None or k <= 0:
        at = np.flatnonzero(usable)
        scores = queries @ (now.base if len(at) == len(now.base) else now.base[at]).T
        return scores, np.broadcast_to(now.base_rows[at], scores.shape)
    faiss = _faiss()
    selector = faiss.IDSelectorBitmap(np.packbits(usable, bitorder="little"))
    scores, at = now.index.search(queries, min(k, len(now.base)), params=faiss.SearchParameters(sel=selector))
    return scores, np.where(at >= 0, now.base_rows[at], -1).astype(np.int32)


def _best(scores: F32, rows: I32, k: int) -> tuple[I32, F32]:
    """Return rows (B, k) and scores (B, k) of the k best columns of each line, padded where there are fewer."""
    scores = np.where(rows >= 0, scores, -np.inf).astype(np.float32)
    n = scores.shape[1]
    if n > k > 0:
        least = np.partition(scores, n - k, axis=1)[:, n - k : n - k + 1]
        width = int((scores >= least).sum(axis=1).max())
        part = np.argpartition(-scores, min(width, n) - 1, axis=1)[:, :width]
        scores, rows = np.take_along_axis(scores, part, axis=1), np.take_along_axis(rows, part, axis=1)
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
    lacking = k - scores.shape[1]
    rows = np.pad(np.where(np.isfinite(scores), rows, -1), ((0, 0), (0, lacking)), constant_values=-1)
    return rows.astype(np.int32), np.pad(scores, ((0, 0), (0, lacking)), constant_values=-np.inf)
