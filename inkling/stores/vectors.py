"""Vectors by row, growing while they are searched: exact up to some ten thousands, indexed beyond."""

from __future__ import annotations

import logging
from dataclasses import replace
from threading import Lock, Thread
from typing import Literal

import numpy as np

from inkling.core.arrays import F32, I32, Bool
from inkling.core.errors import RequestError
from inkling.stores._ivf_index import IvfIndex, spare
from inkling.stores._vector_folds import Plan, folded
from inkling.stores._vector_snapshot import ROOM, Base, Snapshot, best, contains, room
from inkling.stores.freed import give_back

__all__ = ["EXACT_UP_TO", "VectorTable", "contains", "spare"]
EXACT_UP_TO = 50_000
_LOG = logging.getLogger("inkling")
_MOST_BESIDE = 2048


class VectorTable:
    """Unit-free vectors (dim,) float32 by row, searched by inner product.

    A writer puts together a new snapshot and publishes it in one step; a reader keeps the one that it started with, so
    nobody ever sees half a vector. New vectors lie beside the base, are scanned exactly, and are found at once; a
    thread folds them into the base when they have become many. Above ``exact_up_to`` vectors the base is searched
    through an index whose width is tuned to ``recall`` against exact search; it is trained, filled and tuned by that
    thread too, and until it is ready everything is scanned.

    With ``keep="codes"`` the base keeps a byte for each number and nothing else: a fourth of the memory, and scores
    and vectors that are only that exact. With "vectors" what the index finds is scored exactly. "elsewhere" is "codes"
    for who holds the vectors, asks for half as many more (``spare``), and puts them in order by them.
    """

    def __init__(
        self,
        dim: int,
        *,
        exact_up_to: int = EXACT_UP_TO,
        recall: float = 0.95,
        keep: Literal["vectors", "codes", "elsewhere"] = "vectors",
    ) -> None:
        """Start empty, for vectors of ``dim`` numbers."""
        self.dim = dim
        self._plan = Plan(exact_up_to, recall, keep)
        self._lock = Lock()  # of the snapshot: held for microseconds
        self._folding = Lock()  # of the base: one fold at a time, however long it takes
        self._folder: Thread | None = None
        self._touched: list[I32] | None = None  # rows that changed since a fold began
        self._place = np.full(ROOM, -1, dtype=np.int32)  # of each row beside the base, -1 nowhere; the writer's own
        none = np.empty(0, dtype=np.int32)
        base = Base.of(np.empty((0, dim), dtype=np.float32), none, None)
        self._now = Snapshot(base, none, *room(dim, ROOM), 0, 0)

    def __len__(self) -> int:
        return self._now.n_live

    @property
    def index(self) -> IvfIndex | None:
        """Return the index of the base, where there is one."""
        return self._now.base.index

    # -- writing --------------------------------------------------------------------------------------------------

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
        if len(rows) > 1:
            last = np.sort(len(rows) - 1 - np.unique(rows[::-1], return_index=True)[1])
            rows, vectors = rows[last], vectors[last]
        with self._lock:
            now = self._without(self._now, rows.astype(np.int32))
            self._now = self._with(now, rows.astype(np.int32), vectors)
            self._fold_soon()

    def delete(self, rows: I32) -> int:
        """Find the vectors of rows no more; return how many there were. ``compact`` takes them out of memory."""
        with self._lock:
            before = self._now
            self._now = self._without(before, np.unique(rows).astype(np.int32))
            self._fold_soon()
            return before.n_live - self._now.n_live

    def _without(self, now: Snapshot, rows: I32) -> Snapshot:
        """Return a state in which rows have no vectors; called by who holds the lock."""
        if self._touched is not None:
            self._touched.append(rows)
        at = now.base.at(rows)
        fresh = at[(at >= 0) & ~contains(now.gone, at)]
        gone = np.sort(np.concatenate([now.gone, fresh])) if len(fresh) else now.gone
        inside = rows[(rows >= 0) & (rows < len(self._place))]
        places = self._place[inside]
        places = places[places >= 0]
        own = now.beside_rows
        if len(places):
            own = own.copy()
            own[places] = -1
            self._place[inside] = -1
        return Snapshot(now.base, gone, now.beside, own, now.n, now.n_live - len(fresh) - len(places))

    def _with(self, now: Snapshot, rows: I32, vectors: F32) -> Snapshot:
        """Return a state with further vectors, written where no earlier state looks."""
        n = now.n + len(rows)
        beside, own = now.beside, now.beside_rows
        if n > len(own):
            beside, own = room(self.dim, max(2 * len(own), n))
            beside[: now.n], own[: now.n] = now.beside[: now.n], now.beside_rows[: now.n]
        beside[now.n : n], own[now.n : n] = vectors, rows
        if (most := int(rows.max())) >= len(self._place):
            self._place = np.pad(self._place, (0, most + 1), constant_values=-1)
        self._place[rows] = np.arange(now.n, n, dtype=np.int32)
        return Snapshot(now.base, now.gone, beside, own, n, now.n_live + len(rows))

    # -- folding --------------------------------------------------------------------------------------------------

    def compact(self) -> None:
        """Fold everything into one base now, and wait for it: what was deleted or replaced leaves memory."""
        with self._folding:
            self._fold(clean=True)

    def wait(self) -> None:
        """Wait until no fold is under way."""
        while (folder := self._folder) is not None:
            folder.join()

    def tune(self, queries: F32 | None = None) -> None:
        """Tune the width of the search on queries (m, dim) of the kind that is asked, now and at later folds."""
        with self._folding:
            asked = None if queries is None else np.array(queries, dtype=np.float32)
            self._plan = replace(self._plan, queries=asked)
            base = self._now.base  # only a fold replaces it
            if base.index is not None:
                tuned = Base.of(base.vectors, base.rows, base.index.retuned(queries=asked))
                with self._lock:
                    self._now = replace(self._now, base=tuned)

    def _fold_soon(self) -> None:
        if self._folder is None and self._overgrown():
            # Not a daemon: an interpreter that ends waits for it, instead of taking memory away from under it.
            self._folder = Thread(target=self._fold_in_background, name="inkling-vectors")
            self._folder.start()

    def _overgrown(self) -> bool:
        now = self._now
        return max(now.n, len(now.gone)) > max(_MOST_BESIDE, len(now.base) // 400)

    def _fold_in_background(self) -> None:
        try:
            with self._folding:
                while True:
                    self._fold()
                    with self._lock:
                        if not self._overgrown():
                            self._folder = None
                            return
        except Exception:
            _LOG.exception("New vectors could not be folded; they are scanned until it works.")
            with self._lock:
                self._folder = None

    def _fold(self, *, clean: bool = False) -> None:
        """Put base and what lies beside it together, then publish it with what came meanwhile."""
        with self._lock:
            seen, self._touched = self._now, []
        try:
            base = folded(seen, self._plan, clean=clean)
        except BaseException:
            with self._lock:
                self._touched = None
            raise
        with self._lock:
            self._publish(base, seen)
        del base, seen
        give_back()

    def _publish(self, base: Base, seen: Snapshot) -> None:
        """Go on with a new base of all that was ``seen``; called by who holds the lock."""
        now, touched = self._now, self._touched or []
        at = base.at(np.unique(np.concatenate(touched))) if touched else np.empty(0, dtype=np.int32)
        gone = np.sort(at[at >= 0])
        later = np.flatnonzero(now.beside_rows[seen.n : now.n] >= 0) + seen.n
        beside, own = room(self.dim, max(2 * len(later), ROOM))
        beside[: len(later)], own[: len(later)] = now.beside[later], now.beside_rows[later]
        earlier = now.beside_rows[: now.n]
        self._place[earlier[earlier >= 0]] = -1
        self._place[own[: len(later)]] = np.arange(len(later), dtype=np.int32)
        self._touched = None
        self._now = Snapshot(base, gone, beside, own, len(later), base.n_live - len(gone) + len(later))

    # -- reading --------------------------------------------------------------------------------------------------

    def get(self, rows: I32) -> F32:
        """Return the vectors (n, dim) of rows; zeros where there is none."""
        return self._now.get(rows)

    def top(self, queries: F32, k: int, *, allowed: Bool | None = None) -> tuple[I32, F32]:
        """Return the rows (B, k) of the largest inner products and these (B, k), best first; equal ones by row.

        Args:
            queries: (B, dim).
            k: How many; where there are fewer, rows are -1 and scores -inf.
            allowed: (n_items,) which rows may be found; rows beyond it may not. One that is not writeable is taken to
                stay as it is and is worked out once.

        Raises:
            RequestError: The queries are of another width.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise RequestError(f"Queries of shape {queries.shape}; expected (B, {self.dim}).")
        k = max(k, 0)
        scores, rows = self._now.top(np.ascontiguousarray(queries, dtype=np.float32), k, allowed)
        return best(scores, rows, k)
