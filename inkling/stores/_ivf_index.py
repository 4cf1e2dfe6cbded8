"""An index of many vectors: cells around centres, one byte a number, and a search width that is tuned by itself."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from inkling.core.arrays import F32, I64, Array, Bool

DEPTHS = (10, 100, 1000)
"""Lengths of answers that the width is tuned for; between them it is interpolated."""
_PER_CELL = 500  # vectors in a cell: what is scanned and what finds the cells cost about the same
_LEARN_FROM = 40  # vectors for each centre that k-means sees
_ROUNDS = 6
_ASKED = 256  # queries of the sample
_BLOCK = 65_536
_MARGIN = 0.005  # the sample's recall is only so exact
_SPREAD = 0.5  # an answer out of a share s of all vectors lies s ** -0.5 times wider than its length alone says


@dataclass(frozen=True, slots=True)
class IvfIndex:
    """An inverted file (Jegou, Douze and Schmid 2011) with 8-bit scalar quantisation, by faiss; it never changes.

    Any number of threads may search it. Positions are those of the vectors as they were given.
    """

    index: Any
    n: int
    trained_on: int
    tuned_on: int
    recall: float
    rescored: bool
    widths: tuple[int, ...]
    """Cells looked at for each of ``DEPTHS``."""
    _asked: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, vectors: F32, *, recall: float, rescored: bool = True, queries: F32 | None = None, seed: int = 0
    ) -> Self:
        """Build from vectors (n, dim) and tune.

        Args:
            vectors: What is searched.
            recall: Share of the true best that a search is to find, on average.
            rescored: What is found is put in order by true scores afterwards.
            queries: (m, dim) of the kind that will be asked; None takes a sample of the vectors.
            seed: Of the samples.
        """
        faiss, rng, (n, dim) = _faiss(), np.random.default_rng(seed), vectors.shape
        n_cells = cells_for(n)
        by_residual = False  # codes of the vectors themselves: the same table of numbers serves all cells
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dim), dim, n_cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, by_residual
        )
        index.cp.niter, index.cp.max_points_per_centroid, index.cp.seed = _ROUNDS, _LEARN_FROM, seed + 1
        index.cp.min_points_per_centroid = 1
        shown = rng.permutation(n)[: n_cells * _LEARN_FROM]
        index.train(np.ascontiguousarray(vectors[np.sort(shown)]))
        for begin in range(0, n, _BLOCK):  # the interpreter is let go of now and then: others write meanwhile
            index.add(np.ascontiguousarray(vectors[begin : begin + _BLOCK]))
        index = faiss.clone_index(index)  # lists grow by doubling; a copy takes what it needs
        index.make_direct_map()
        sample = _sample(vectors, rng) if queries is None else queries[:_ASKED]
        truth = exact_top(vectors, sample, min(DEPTHS[-1], n))
        made = cls(index, n, n, n, recall, rescored, (n_cells,) * len(DEPTHS))
        return made._tuned(sample, truth)

    @property
    def n_cells(self) -> int:
        """Return the number of cells."""
        return int(self.index.nlist)

    def with_more(self, vectors: F32) -> Self:
        """Return an index that holds further vectors (m, dim) behind its own."""
        faiss = _faiss()
        index = faiss.clone_index(self.index)  # who searches this one goes on undisturbed
        index.set_direct_map_type(faiss.DirectMap.NoMap)
        index.add(np.ascontiguousarray(vectors))
        index.make_direct_map()
        return replace(self, index=index, n=int(index.ntotal), _asked={})

    def retuned(self, *, queries: F32 | None = None, seed: int = 0) -> Self:
        """Return the same index with widths tuned on what it holds now, against looking at all cells."""
        rng = np.random.default_rng(seed)
        sample = self.decoded(np.sort(rng.permutation(self.n)[:_ASKED])) if queries is None else queries[:_ASKED]
        truth = self.search(sample, min(DEPTHS[-1], self.n), width=self.n_cells)[1]
        return self._tuned(sample, truth)

    def _tuned(self, sample: F32, truth: I64) -> Self:
        widths = []
        for depth in DEPTHS:
            least = widths[-1] if widths else 1  # a longer answer never needs fewer cells
            widths.append(self._width_for(sample, truth[:, :depth], least))
        return replace(self, tuned_on=self.n, widths=tuple(widths), _asked={})

    def _width_for(self, sample: F32, truth: I64, least: int) -> int:
        """Return the smallest width whose answers hold the wanted share of the truth (Q, depth)."""
        wanted = min(self.recall + _MARGIN, 1.0)
        if not self.rescored:  # codes find only so much, however many cells are looked at
            few = slice(0, _ASKED // 4)
            wanted = min(wanted, self._found(sample[few], truth[few], self.n_cells) - _MARGIN)
        low, high = least - 1, least
        while high < self.n_cells and self._found(sample, truth, high) < wanted:
            low, high = high, min(2 * high, self.n_cells)
        while high - low > max(high // 16, 1):
            middle = (low + high) // 2
            low, high = (low, middle) if self._found(sample, truth, middle) >= wanted else (middle, high)
        return high

    def _found(self, sample: F32, truth: I64, width: int) -> float:
        """Return the share of the truth (Q, depth) that answers of that length hold."""
        k = truth.shape[1]
        found = self.search(sample, min(k + spare(k), self.n) if self.rescored else k, width=width)[1]
        return float(np.mean([np.isin(true, own).mean() for true, own in zip(truth, found, strict=True)]))

    def width(self, depth: int, *, share: float = 1.0) -> int:
        """Return how many cells are looked at for answers of ``depth`` out of a ``share`` of all vectors."""
        deep = math.log(max(depth / max(share, 1e-9) ** _SPREAD, 1.0))
        wide = np.interp(deep, [math.log(known) for known in DEPTHS], self.widths)
        beyond = max(deep - math.log(DEPTHS[-1]), 0.0)  # cells hold so many: a longer answer reaches into more of them
        return min(math.ceil(wide * math.exp(beyond)), self.n_cells)

    def search(self, queries: F32, k: int, *, width: int, selector: Any = None) -> tuple[F32, I64]:
        """Return approximate inner products (B, k) and positions (B, k), best first; -1 where there are too few."""
        if selector is not None:
            params = _faiss().SearchParametersIVF(nprobe=width, sel=selector)
        elif (params := self._asked.get(width)) is None:
            params = self._asked[width] = _faiss().SearchParametersIVF(nprobe=width)
        scores, positions = self.index.search(queries, k, params=params)
        return scores, positions

    def decoded(self, positions: Array) -> F32:
        """Return the vectors (m, dim) as the codes say them."""
        out: F32 = self.index.reconstruct_batch(np.ascontiguousarray(positions, dtype=np.int64))
        return out


def cells_for(n: int) -> int:
    """Return how many cells hold ``n`` vectors well: a power of two."""
    return int(2 ** round(math.log2(max(n / _PER_CELL, 4.0))))


def spare(k: int) -> int:
    """Return how many more than ``k`` are fetched, to be put in order by their true scores."""
    return max(k // 2, 16)


def selector_of(usable: Bool) -> Any:
    """Return what tells faiss which positions may be found; ``usable`` (n,)."""
    return _faiss().IDSelectorBitmap(np.packbits(usable, bitorder="little"))


def exact_top(vectors: F32, queries: F32, k: int) -> I64:
    """Return the positions (Q, k) of the largest inner products, best first, by looking at every vector."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    at = np.full((len(queries), k), -1, dtype=np.int64)
    for begin in range(0, len(vectors), _BLOCK):
        part = vectors[begin : begin + _BLOCK]
        scores = np.hstack([best, queries @ part.T])
        places = np.hstack([at, np.broadcast_to(np.arange(begin, begin + len(part)), (len(queries), len(part)))])
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        best, at = np.take_along_axis(scores, top, axis=1), np.take_along_axis(places, top, axis=1)
    return np.take_along_axis(at, np.argsort(-best, axis=1, kind="stable"), axis=1)


def _sample(vectors: F32, rng: np.random.Generator) -> F32:
    return np.ascontiguousarray(vectors[np.sort(rng.permutation(len(vectors))[:_ASKED])])


def _faiss() -> Any:
    """Return faiss, untyped: its stubs do not know what its Python side adds."""
    return importlib.import_module("faiss")
