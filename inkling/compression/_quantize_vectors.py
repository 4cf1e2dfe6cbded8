"""Vectors in fewer bytes, searched exactly over what is left of them, and put in order again by something nearer.

One contract: ``search(queries, k)`` returns rows and scores of the k largest inner products, each (Q, k), padded with
-1 and ``-inf``. Rough forms look at ``rescore`` times as many rows, then score those by ``exact``: int8, or float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, get_args

import numpy as np

from inkling.core.arrays import F32, I8, I32, I64
from inkling.core.errors import ConfigError, RequestError, nearest
from inkling.kernels.quantize import U8, binarize, hamming, quantize_int8
from inkling.kernels.topk import topk_rows

Kind = Literal["float32", "int8", "binary", "truncated"]
_BLOCK = 16_384  # rows that are compared at once
_QUERIES = 64  # queries that are asked at once


class QuantizedVectors(Protocol):
    """Vectors in a smaller form, searched by inner product.

    Attributes:
        dim: Length of a query.
    """

    dim: int

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Return the bytes that all vectors take in memory."""
        ...

    def search(self, queries: F32, k: int) -> tuple[I32, F32]:
        """Return rows (Q, k) int32 and their inner products (Q, k), best first.

        Raises:
            RequestError: ``queries`` is not (Q, dim).
        """
        ...


class Scored(QuantizedVectors, Protocol):
    """A form that is near enough to the original to put some rows in order."""

    def scores(self, query: F32, rows: I32) -> F32:
        """Return the inner products (R,) of one query (dim,) with some rows."""
        ...


class ExactVectors:
    """Vectors as they are: the yardstick, and what rough forms may be rescored by."""

    def __init__(self, vectors: F32) -> None:
        """Take vectors (N, dim)."""
        self._vectors = _checked(vectors)
        self.dim = vectors.shape[1]

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def nbytes(self) -> int:
        """Return the bytes that all vectors take in memory."""
        return self._vectors.nbytes

    def search(self, queries: F32, k: int) -> tuple[I32, F32]:
        """Return rows (Q, k) and inner products (Q, k), best first.

        Raises:
            RequestError: ``queries`` is not (Q, dim).
        """
        return _scan(_asked(queries, self.dim), k, len(self), lambda q, rows: q @ self._vectors[rows].T)

    def scores(self, query: F32, rows: I32) -> F32:
        """Return the inner products (R,) of one query (dim,) with some rows."""
        return np.asarray(self._vectors[rows] @ query, dtype=np.float32)


class Int8Vectors:
    """Eight bits a number and one scale a row: a quarter of the memory."""

    def __init__(self, vectors: F32) -> None:
        """Take vectors (N, dim)."""
        self._codes: I8
        self._codes, self._scales = quantize_int8(_checked(vectors))
        self.dim = vectors.shape[1]

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        """Return the bytes that all vectors take in memory."""
        return self._codes.nbytes + self._scales.nbytes

    def search(self, queries: F32, k: int) -> tuple[I32, F32]:
        """Return rows (Q, k) and inner products (Q, k), best first.

        Raises:
            RequestError: ``queries`` is not (Q, dim).
        """
        return _scan(_asked(queries, self.dim), k, len(self), self._near)

    def scores(self, query: F32, rows: I32) -> F32:
        """Return the inner products (R,) of one query (dim,) with some rows."""
        return np.asarray((self._codes[rows].astype(np.float32) @ query) * self._scales[rows], dtype=np.float32)

    def _near(self, queries: F32, rows: slice) -> F32:
        return np.asarray((queries @ self._codes[rows].astype(np.float32).T) * self._scales[rows], dtype=np.float32)


class BinaryVectors:
    """One bit a number, on which side of the mean it lies: a thirty-second of the memory, and ``exact`` beside it.

    Signs only narrow the search; without rescoring, scores are the agreeing bits less the differing ones over all bits.
    """

    def __init__(self, vectors: F32, *, exact: Scored | None = None, rescore: int = 10) -> None:
        """Take vectors (N, dim).

        Args:
            vectors: What is searched.
            exact: Puts in order what the signs found; None leaves the order to them.
            rescore: So many times k rows are looked at.

        Raises:
            ConfigError: ``rescore`` is below 1.
        """
        vectors = _checked(vectors)
        self.dim, self.exact, self.rescore = vectors.shape[1], exact, _times(rescore)
        self._mean = vectors.mean(axis=0) if len(vectors) else np.zeros(self.dim, dtype=np.float32)
        self._bits: U8 = binarize(vectors - self._mean)

    def __len__(self) -> int:
        return len(self._bits)

    @property
    def nbytes(self) -> int:
        """Return the bytes that all vectors take in memory, those for rescoring included."""
        return self._bits.nbytes + self._mean.nbytes + (self.exact.nbytes if self.exact is not None else 0)

    def search(self, queries: F32, k: int) -> tuple[I32, F32]:
        """Return rows (Q, k) and inner products (Q, k), best first.

        Raises:
            RequestError: ``queries`` is not (Q, dim).
        """
        queries = _asked(queries, self.dim)
        wide = k if self.exact is None else k * self.rescore
        found, agree = _scan(queries, wide, len(self), self._agreement)
        return (found, agree) if self.exact is None else _rescored(self.exact, queries, found, k)

    def _agreement(self, queries: F32, rows: slice) -> F32:
        apart = hamming(binarize(queries - self._mean), self._bits[rows])
        return np.asarray(1.0 - 2.0 * apart / max(self.dim, 1), dtype=np.float32)


class TruncatedVectors:
    """The first ``keep`` numbers of each vector, in int8, and ``exact`` beside them where there is one.

    With ``turn`` the vectors are turned first so that the leading numbers hold as much of all inner products as any so
    many can (their principal directions, without centring: inner products stay); this is fitted on the vectors
    themselves. Without it they are cut as they are, which suits models that were trained for it (Matryoshka
    representations, Kusupati et al. 2022).
    """

    def __init__(
        self, vectors: F32, keep: int, *, turn: bool = True, exact: Scored | None = None, rescore: int = 4
    ) -> None:
        """Take vectors (N, dim).

        Args:
            vectors: What is searched.
            keep: Numbers of each vector that stay.
            turn: Whether vectors are turned before they are cut.
            exact: Puts in order what the first numbers found; None leaves the order to them.
            rescore: So many times k rows are looked at.

        Raises:
            ConfigError: ``keep`` is not between 1 and dim, or ``rescore`` is below 1.
        """
        vectors = _checked(vectors)
        self.dim, self.exact, self.rescore = vectors.shape[1], exact, _times(rescore)
        if not 1 <= keep <= self.dim:
            raise ConfigError(f"Vectors of {self.dim} numbers cannot be cut to {keep}.", hint=f"Keep 1 to {self.dim}.")
        self.axes: F32 = main_directions(vectors, keep) if turn else np.eye(self.dim, keep, dtype=np.float32)
        self._kept = Int8Vectors(np.ascontiguousarray(vectors @ self.axes))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Return the bytes that all vectors take in memory, those for rescoring included."""
        return self._kept.nbytes + self.axes.nbytes + (self.exact.nbytes if self.exact is not None else 0)

    def search(self, queries: F32, k: int) -> tuple[I32, F32]:
        """Return rows (Q, k) and inner products (Q, k), best first.

        Raises:
            RequestError: ``queries`` is not (Q, dim).
        """
        queries = _asked(queries, self.dim)
        wide = k if self.exact is None else k * self.rescore
        found, near = self._kept.search(queries @ self.axes, wide)
        return (found, near) if self.exact is None else _rescored(self.exact, queries, found, k)


def quantize_vectors(
    vectors: F32, kind: Kind, *, keep: int = 0, rescored: Literal["", "int8", "float32"] = "int8"
) -> QuantizedVectors:
    """Return vectors (N, dim) in a smaller form.

    Args:
        vectors: What is searched.
        kind: ``float32``, ``int8``, ``binary`` or ``truncated``.
        keep: truncated: numbers that stay; 0 is a quarter of them.
        rescored: binary, truncated: what puts the rows that were found in order; empty leaves it to the rough form.

    Raises:
        ConfigError: There is no such kind, or ``keep`` is out of range.
        RequestError: ``vectors`` is not (N, dim), or not finite.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"There is no form of vectors named '{kind}'.", hint=nearest(kind, get_args(Kind)))
    if rescored not in ("", "int8", "float32"):
        raise ConfigError(f"Vectors cannot be rescored by '{rescored}'.", hint=nearest(rescored, ("int8", "float32")))
    if kind == "float32":
        return ExactVectors(vectors)
    if kind == "int8":
        return Int8Vectors(vectors)
    beside = _beside(vectors, rescored)
    if kind == "binary":
        return BinaryVectors(vectors, exact=beside)
    return TruncatedVectors(vectors, keep or max(vectors.shape[1] // 4, 1), exact=beside)


def _beside(vectors: F32, rescored: str) -> Scored | None:
    return Int8Vectors(vectors) if rescored == "int8" else ExactVectors(vectors) if rescored else None


def main_directions(vectors: F32, keep: int) -> F32:
    """Return axes (dim, keep), orthonormal, that hold most of the inner products of vectors (N, dim)."""
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :keep], dtype=np.float32)


def _scan(queries: F32, k: int, n: int, near: Callable[[F32, slice], F32]) -> tuple[I32, F32]:
    """Return the k best of n rows for each query, block by block; ties by the lower row."""
    rows = np.full((len(queries), max(k, 0)), -1, dtype=np.int32)
    best = np.full(rows.shape, -np.inf, dtype=np.float32)
    for first in range(0, len(queries), _QUERIES):
        some = slice(first, first + _QUERIES)
        for start in range(0, n, _BLOCK):
            found, scores = topk_rows(near(queries[some], slice(start, min(start + _BLOCK, n))), k)
            found = np.where(found >= 0, found + np.int32(start), found)
            all_rows, all_scores = np.hstack([rows[some], found]), np.hstack([best[some], scores])
            columns, best[some] = topk_rows(all_scores, k)
            rows[some] = np.where(columns >= 0, np.take_along_axis(all_rows, columns, axis=1), np.int32(-1))
    return rows, best


def _rescored(exact: Scored, queries: F32, found: I32, k: int) -> tuple[I32, F32]:
    rows = np.full((len(queries), k), -1, dtype=np.int32)
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for at, query in enumerate(queries):
        some = np.sort(found[at][found[at] >= 0])
        scores = exact.scores(query, some)
        order: I64 = np.argsort(-scores, kind="stable")[:k]
        rows[at, : len(order)], best[at, : len(order)] = some[order], scores[order]
    return rows, best


def _times(rescore: int) -> int:
    if rescore < 1:
        raise ConfigError(f"rescore is {rescore}, expected at least 1.")
    return rescore


def _checked(vectors: F32) -> F32:
    if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
        raise RequestError(f"Vectors have shape {vectors.shape}, expected (N, dim) of finite numbers.")
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _asked(queries: F32, dim: int) -> F32:
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise RequestError(f"Queries have shape {queries.shape}, expected (Q, {dim}).", hint="One query is (1, dim).")
    return np.asarray(queries, dtype=np.float32)
