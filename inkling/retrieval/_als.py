"""Alternating least squares over blocks of people, or of items, with histories of about the same length.

For one row the normal equations are (G + l2 + H' diag(c - 1) H) x = H' c, where H holds the factors of what the row had
and G is the Gram matrix of all factors of the other side. Both sides are first turned into the eigenvectors of G (inner
products stay what they are), so that G + l2 is a diagonal: no row pays for G, and the diagonal preconditions the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.retrieval._matrix import Sparse

Solver = Literal["cg", "exact"]
# Cells of gathered factors that a block holds: 1 MiB of float32, which stays near the processor.
_BLOCK_CELLS = 262_144
_CHUNK_ROWS = 16_384
# Rows of a block may be padded to a length that is longer by so much.
_PADDING = 1.125
_TINY = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Weighing:
    """How observations and regularisation weigh.

    Attributes:
        alpha: Confidence 1 + alpha r of an observation r (Hu, Koren, Volinsky 2008).
        l2: Regularisation of a row of average length.
        power: How much more a row with many observations is regularised (Rendle et al. 2021); 0: not at all.
    """

    alpha: float
    l2: float
    power: float = 0.0

    def l2_of(self, lengths: I64 | F64, mean_length: float, n_others: int) -> F64:
        """Return the regularisation (B,) of rows with these numbers of observations out of ``n_others``."""
        share = (self.alpha * lengths + n_others) / max(self.alpha * mean_length + n_others, 1e-9)
        return np.asarray(self.l2 * share**self.power)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of a sparse matrix with about the same length n, padded with amounts of 0."""

    rows: I64  # (B,)
    columns: I32  # (B, n)
    amounts: F32  # (B, n)
    l2: F32  # (B,)


def blocks_of(matrix: Sparse, n_factors: int, weighing: Weighing) -> list[Block]:
    """Return the rows of a CSR matrix that hold anything, in blocks by length."""
    lengths = np.diff(matrix.indptr).astype(np.int64)
    order = np.argsort(lengths, kind="stable")
    order = order[np.searchsorted(lengths[order], 1) :]
    l2 = weighing.l2_of(lengths, float(lengths[order].mean()) if len(order) else 0.0, matrix.shape[1])
    sorted_lengths, found, start = lengths[order], [], 0
    while start < len(order):
        longest = int(sorted_lengths[start] * _PADDING)
        most = max(_BLOCK_CELLS // (longest * n_factors), 1)
        end = min(int(np.searchsorted(sorted_lengths, longest, side="right")), start + most)
        found.append(_block(matrix, order[start:end], lengths, l2))
        start = end
    return found


def _block(matrix: Sparse, rows: I64, lengths: I64, l2: F64) -> Block:
    places = np.arange(int(lengths[rows[-1]]))
    real = places < lengths[rows, None]
    at = np.where(real, matrix.indptr[rows].astype(np.int64)[:, None] + places, 0)
    columns = np.where(real, matrix.indices[at], 0).astype(np.int32)
    return Block(rows, columns, np.where(real, matrix.data[at], 0).astype(np.float32), l2[rows].astype(np.float32))


class Workers:
    """Runs blocks on some threads; numpy lets go of the interpreter while it computes."""

    def __init__(self, n_threads: int) -> None:
        """Open ``n_threads`` threads, or none for one."""
        self._pool = ThreadPoolExecutor(n_threads) if n_threads > 1 else None

    def each(self, work: Callable[..., object], items: Iterable[object]) -> list[object]:
        """Return ``work(item)`` of each item."""
        return list(self._pool.map(work, items)) if self._pool else [work(item) for item in items]

    def close(self) -> None:
        """Let the threads go."""
        if self._pool:
            self._pool.shutdown()


def spectrum(fixed: F32, others: F32, workers: Workers) -> F64:
    """Turn both sides into the eigenvectors of the fixed side's Gram matrix, in place; return its eigenvalues (d,)."""
    chunks = [fixed[start : start + _CHUNK_ROWS] for start in range(0, len(fixed), _CHUNK_ROWS)]
    gram = np.zeros((fixed.shape[1],) * 2)
    for part in workers.each(lambda chunk: chunk.T @ chunk, chunks):
        gram += np.asarray(part)
    values, vectors = np.linalg.eigh(gram)
    turn = vectors.astype(np.float32)
    chunks += [others[start : start + _CHUNK_ROWS] for start in range(0, len(others), _CHUNK_ROWS)]

    def turned(chunk: F32) -> None:
        chunk[:] = chunk @ turn

    workers.each(turned, chunks)
    return np.asarray(np.maximum(values, 0.0))


@dataclass(frozen=True, slots=True)
class Halfstep:
    """Solves one side while the other is fixed.

    Attributes:
        solver: A few steps of conjugate gradient from where the row was (Takacs et al. 2011), or exactly.
        steps: Of conjugate gradient.
        alpha: As in :class:`Weighing`.
    """

    solver: Solver
    steps: int
    alpha: float

    def __call__(self, target: F32, fixed: F32, blocks: list[Block], workers: Workers) -> None:
        """Replace the rows of ``target`` that have observations by their solutions."""
        diagonal = spectrum(fixed, target, workers).astype(np.float32)
        solve = self._descend if self.solver == "cg" else self._solve

        def work(block: Block) -> None:
            held = fixed[block.columns] if len(block.rows) == 1 else _gather(fixed, block.columns)
            extra = np.float32(self.alpha) * block.amounts
            wanted = extra + (block.amounts > 0)
            target[block.rows] = solve(held, extra, wanted, diagonal + block.l2[:, None], target[block.rows])

        workers.each(work, blocks)

    def _descend(self, held: F32, extra: F32, wanted: F32, diagonal: F32, x: F32) -> F32:
        """Return x (B, d), overwritten, after some steps of preconditioned conjugate gradient, all rows at once."""
        residual = _back(held, wanted - extra * _along(held, x)) - diagonal * x
        ahead: Array = residual / diagonal
        direction, size = ahead, _dots(residual, ahead)
        for _ in range(self.steps):
            image = _back(held, extra * _along(held, direction)) + diagonal * direction
            step = size / np.maximum(_dots(direction, image), _TINY)
            x += step * direction
            residual -= step * image
            ahead = residual / diagonal
            size, before = _dots(residual, ahead), size
            direction = direction * (size / np.maximum(before, _TINY)) + ahead
        return x

    def _solve(self, held: F32, extra: F32, wanted: F32, diagonal: F32, x: F32) -> F32:
        """Return the exact x (B, d)."""
        places = np.arange(x.shape[1])
        solved = np.empty_like(x)
        for row in range(len(x)):
            system = (held[row].T * extra[row]) @ held[row]
            system[places, places] += diagonal[row]
            solved[row] = np.linalg.solve(system, held[row].T @ wanted[row])
        return solved


def _gather(table: F32, rows: I32) -> F32:
    out = np.empty((*rows.shape, table.shape[1]), dtype=np.float32)
    return np.take(table, rows, axis=0, out=out, mode="clip")


def _along(held: F32, x: Array) -> F32:
    """Return (B, n): the inner products of each row's factors (B, n, d) with its vector (B, d)."""
    return np.asarray(np.matmul(held, x[:, :, None])[:, :, 0])


def _back(held: F32, weights: F32) -> F32:
    """Return (B, d): each row's factors (B, n, d) added up with weights (B, n)."""
    return np.asarray(np.matmul(weights[:, None, :], held)[:, 0])


def _dots(left: Array, right: Array) -> Array:
    return np.asarray(np.einsum("bd,bd->b", left, right)[:, None])
