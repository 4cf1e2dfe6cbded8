"""The main directions of a large sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from inkling.core.arrays import F32

_MORE = 8
_PASSES = 2


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
    for _ in range(_PASSES):
        basis = matrix.T @ np.linalg.qr(matrix @ np.linalg.qr(basis)[0])[0]
    basis = np.linalg.qr(basis)[0]
    seen = matrix @ basis  # (n_rows, wide)
    values, inner = np.linalg.eigh(np.asarray(seen.T @ seen, np.float64))
    order = np.argsort(-values, kind="stable")[: min(k, wide)]
    order = order[values[order] > 1e-9 * max(float(values.max()), 1e-30)]
    axes = basis @ inner[:, order].astype(np.float32)
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    strengths = np.sqrt(values[order]).astype(np.float32)
    return np.asarray(axes * np.where(signs == 0, 1, signs), np.float32), strengths
