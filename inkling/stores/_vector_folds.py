"""How vectors beside a base are folded into it: what is kept, and when an index is made, filled, tuned or made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from inkling.core.arrays import F32, I32, I64
from inkling.stores._ivf_index import IvfIndex
from inkling.stores._vector_snapshot import Base, Snapshot

_OUTGROWN = 2.0  # an index is trained anew when it holds so many times what it was trained on
_RETUNE = 1.2  # and tuned anew when it holds so many times what it was tuned on
_DEAD = 0.1  # share of an index that may be gone


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table wants its base."""

    exact_up_to: int
    recall: float
    keep: Literal["vectors", "codes", "elsewhere"]
    queries: F32 | None = None  # (m, dim) what widths are tuned on, where something is known


def folded(seen: Snapshot, plan: Plan, *, clean: bool = False) -> Base:
    """Return a base of all that counts in ``seen``; what is gone leaves memory at the latest if ``clean``."""
    rows, vectors = seen.live()
    base = seen.base
    alive = np.ones(len(base), dtype=np.bool_) if base.n_live == len(base) else base.rows >= 0
    alive[seen.gone] = False
    n = int(alive.sum()) + len(rows)
    if n <= plan.exact_up_to:
        return Base.of(*_all_of(base, np.flatnonzero(alive), rows, vectors), None)
    n_dead = len(base) + len(rows) - n
    if base.index is None or _outgrown(base.index, n, n_dead, clean=clean) or not base.index.holds(vectors):
        return _indexed(base, alive.nonzero()[0], (rows, vectors), plan)
    index = base.index.with_more(vectors) if len(rows) else base.index
    if index.n > _RETUNE * index.tuned_on:
        index = index.retuned(queries=plan.queries)
    own = base.rows.copy()
    own[~alive] = -1  # their places stay in the index until it is made anew
    kept = None if base.vectors is None else np.concatenate([base.vectors, vectors])
    return Base.of(kept, np.concatenate([own, rows]), index)


def _outgrown(index: IvfIndex, n: int, n_dead: int, *, clean: bool) -> bool:
    grown = n > _OUTGROWN * index.trained_on or _OUTGROWN * n < index.trained_on
    return grown or n_dead > _DEAD * n or (clean and n_dead > 0)


def _all_of(base: Base, at: I64, rows: I32, vectors: F32) -> tuple[F32, I32]:
    """Return vectors and rows, ascending where they were not too many to sort."""
    if not len(rows) and len(at) == len(base) and base.vectors is not None:
        return base.vectors, base.rows
    every = np.concatenate([base.rows[at], rows])
    known = base.get(at) if len(at) else np.empty((0, vectors.shape[1]), dtype=np.float32)
    both = np.concatenate([known, vectors])
    if (np.diff(every) > 0).all():
        return both, every
    order = np.argsort(every, kind="stable")
    return both[order], every[order]


def _indexed(base: Base, at: I64, fresh: tuple[I32, F32], plan: Plan) -> Base:
    vectors, rows = _all_of(base, at, *fresh)
    index = IvfIndex.of(vectors, recall=plan.recall, rescored=plan.keep != "codes", queries=plan.queries)
    return Base.of(vectors if plan.keep == "vectors" else None, rows, index)
