"""The main directions of a large sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from inkling.core.arrays import F32

_MORE = 8
_PASSES = 3
_NOTHING = 1e-9  # a direction of so small a share of the strongest is rounding


def directions(matrix: Any, k: int, rng: np.random.Generator) -> tuple[F32, F32]:
    """Return the first right singular vectors (n_columns, up to k) of a sparse matrix and its singular values.

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011). Signs are fixed: the largest entry is positive.

    Args:
        matrix: (n_rows, n_columns), of scipy, float32.
        k: How many; fewer come back where the matrix has fewer rows or columns.
        rng: Where the first guess comes from.
    """
    wide = min(k + _MORE, *matrix.shape)
    basis: Any = matrix.T @ rng.standard_normal((matrix.shape[0], wide)).astype(np.float32)
    for _ in range(_PASSES - 1):
        basis = matrix.T @ (matrix @ _orthonormal(basis))
    basis = _orthonormal(_orthonormal(basis))  # twice: once leaves errors of the square of the condition
    values, inner = _ordered(matrix @ basis)
    kept = np.flatnonzero(values > _NOTHING * max(float(values.max(initial=0)), 1e-30))[:k]
    axes = basis @ inner[:, kept].astype(np.float32)
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    strengths = np.sqrt(values[kept]).astype(np.float32)
    return np.asarray(axes * np.where(signs == 0, 1, signs), np.float32), strengths


def _orthonormal(basis: F32) -> F32:
    """Return what spans the same columns, at right angles and of length one; a tall QR takes ten times as long."""
    values, inner = _ordered(basis)
    kept = values > _NOTHING * max(float(values.max(initial=0)), 1e-30)
    return np.asarray(basis @ (inner[:, kept] / np.sqrt(values[kept])).astype(np.float32), np.float32)


def _ordered(columns: F32) -> Any:
    """Return the eigenvalues and eigenvectors of the columns' inner products, the largest first."""
    values, inner = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    return values[::-1], inner[:, ::-1]
