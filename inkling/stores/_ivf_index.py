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
_STEPS = 255  # of a code
_REACHES = (5.0, 4.5, 4.0, 3.5)  # standard deviations that codes may reach from the mean
_ASKED = 256  # queries of the sample
_BLOCK = 65_536
_BY_RESIDUAL = False  # codes of the vectors themselves, so that they do not depend on the cell
_MARGIN = 0.005  # the sample's recall is only so exact


@dataclass(frozen=True, slots=True)
class IvfIndex:
    """An inverted file (Jegou, Douze and Schmid 2011) with 8-bit scalar quantisation, by faiss; it never changes.

    Any number of threads may search it. Positions are those of the vectors as they were given.
    """

    index: Any
    centres: Any  # faiss does not own them
    span: tuple[F32, F32]  # (dim,) each: what codes can say
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
        centres = faiss.IndexFlatIP(dim)
        index = _empty(centres, dim, n_cells)
        index.cp.niter, index.cp.max_points_per_centroid, index.cp.seed = _ROUNDS, _LEARN_FROM, seed + 1
        index.cp.min_points_per_centroid = 1
        shown = rng.permutation(n)[: n_cells * _LEARN_FROM]
        index.train(np.ascontiguousarray(vectors[np.sort(shown)]))
        low, high = _range(vectors)
        faiss.copy_array_to_vector(np.concatenate([low, high - low]), index.sq.trained)
        _fill(index, index.invlists, vectors, first=0)
        index.make_direct_map()
        sample = _sample(vectors, rng) if queries is None else queries[:_ASKED]
        truth = exact_top(vectors, sample, min(DEPTHS[-1], n))
        made = cls(index, centres, (low, high), n, n, n, recall, rescored, (n_cells,) * len(DEPTHS))
        return made._tuned(sample, truth)

    @property
    def n_cells(self) -> int:
        """Return the number of cells."""
        return int(self.index.nlist)

    def holds(self, vectors: F32) -> bool:
        """Return whether codes can say further vectors (m, dim): what lies far outside of their range is lost."""
        low, high = self.span
        more = (high - low) / 2
        return bool(((vectors >= low - more) & (vectors <= high + more)).all())

    def with_more(self, vectors: F32) -> Self:
        """Return an index that holds further vectors (m, dim) behind its own."""
        old = self.index
        index = _empty(self.centres, old.d, old.nlist)
        index.sq, index.is_trained = old.sq, True
        _fill(index, old.invlists, vectors, first=self.n)
        index.make_direct_map()
        return replace(self, index=index, n=int(index.ntotal), _asked={})

    def retuned(self, *, queries: F32 | None = None, seed: int = 0) -> Self:
        """Return the same index with widths tuned on what it holds now, against looking at all cells."""
        rng = np.random.default_rng(seed)
        sample = self.decoded(np.sort(rng.permutation(self.n)[:_ASKED])) if queries is None else queries[:_ASKED]
        truth = self.search(sample, min(DEPTHS[-1], self.n), width=self.n_cells)[1]
        return self._tuned(sample, truth)

    def _tuned(self, sample: F32, truth: I64) -> Self:
        widths: list[int] = []
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
        deep = math.log(max(depth / max(share, 1e-9), 1.0))  # the best of a share lie among so many of all
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


def _empty(centres: Any, dim: int, n_cells: int) -> Any:
    faiss = _faiss()
    kind, measure = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    return faiss.IndexIVFScalarQuantizer(centres, dim, n_cells, kind, measure, _BY_RESIDUAL)


def _range(vectors: F32) -> tuple[F32, F32]:
    """Return the least and the largest number (dim,) that codes say, with the least error that remains.

    Where few numbers lie far out, those are cut off and the others are told apart more finely.
    """
    seen = vectors[:: max(len(vectors) // _BLOCK, 1)]
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    least, most = vectors.min(axis=0), np.maximum(vectors.max(axis=0), vectors.min(axis=0) + np.float32(1e-6))
    low, high, error = least, most, ((most - least) / _STEPS) ** 2 / 12
    for reach in _REACHES:
        inner, outer = np.maximum(least, mean - reach * spread), np.minimum(most, mean + reach * spread)
        cut = ((seen - np.clip(seen, inner, outer)) ** 2).mean(axis=0)
        own = ((outer - inner) / _STEPS) ** 2 / 12 + cut
        better = (own < error) & (outer > inner)
        low, high, error = np.where(better, inner, low), np.where(better, outer, high), np.where(better, own, error)
    return low.astype(np.float32), high.astype(np.float32)


def _fill(index: Any, before: Any, vectors: F32, *, first: int) -> None:
    """Put what lists held ``before`` and further vectors, numbered from ``first``, into an index's lists.

    Each list is made as long as it becomes, once: lists that grow take up to twice the memory.
    """
    faiss = _faiss()
    cells, codes = _coded(index, vectors)
    order = np.argsort(cells, kind="stable")
    ends = np.searchsorted(cells, np.arange(index.nlist + 1), sorter=order)
    ids, codes = (order + first).astype(np.int64), codes[order]
    lists = faiss.ArrayInvertedLists(index.nlist, index.code_size)
    for cell in range(index.nlist):
        begin, end, had = int(ends[cell]), int(ends[cell + 1]), before.list_size(cell)
        lists.resize(cell, had + end - begin)
        if had:
            lists.update_entries(cell, 0, had, before.get_ids(cell), before.get_codes(cell))
        if end > begin:
            own = faiss.swig_ptr(ids[begin:]), faiss.swig_ptr(codes[begin:])
            lists.update_entries(cell, had, end - begin, *own)
    owned = True
    index.replace_invlists(lists, owned)
    lists.this.disown()  # the index frees them
    index.ntotal = first + len(vectors)


def _coded(index: Any, vectors: F32) -> tuple[I64, Array]:
    """Return cells (n,) and codes (n, dim) of vectors, block by block: the interpreter is let go of now and then."""
    cells = np.empty(len(vectors), dtype=np.int64)
    codes = np.empty((len(vectors), index.code_size), dtype=np.uint8)
    for begin in range(0, len(vectors), _BLOCK):
        part = np.ascontiguousarray(vectors[begin : begin + _BLOCK])
        cells[begin : begin + len(part)] = index.quantizer.search(part, 1)[1][:, 0]
        codes[begin : begin + len(part)] = index.sq.compute_codes(part)
    return cells, codes


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
