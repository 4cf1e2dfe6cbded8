"""The graph of people and items, each edge over the roots of both ends' sizes, and its low frequencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, F64
from inkling.core.run import Run
from inkling.retrieval._matrix import column_sums

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def roots(sizes: F64) -> F64:
    """Return 1 / sqrt(size), 0 where the size is 0."""
    return np.divide(1.0, np.sqrt(sizes), out=np.zeros(len(sizes)), where=sizes > 0)


def normalised(matrix: csr_array) -> csr_array:
    """Return people x items with each value divided by the roots of its row's and its column's sums."""
    from scipy.sparse import csr_array, diags_array

    people = roots(np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel())
    items = roots(column_sums(matrix))
    return csr_array(diags_array(people) @ matrix @ diags_array(items)).astype(np.float32)


def low_pass(graph: csr_array, dim: int, run: Run) -> tuple[F32, F32]:
    """Return the largest singular values (d,) and their right vectors (items, d), d at most ``dim``.

    Randomised subspace iteration (Halko et al. 2011): a few products with the sparse matrix, nothing of people x items.
    """
    dim = min(dim, *graph.shape)
    wide = min(dim + 10, *graph.shape)
    basis = run.rng("spectral").standard_normal((graph.shape[1], wide)).astype(np.float32)
    for _ in range(8):
        basis, _ = np.linalg.qr(graph.T @ (graph @ basis))
    _, sizes, turned = np.linalg.svd(graph @ basis, full_matrices=False)
    vectors: F32 = basis @ turned.T
    return sizes[:dim].astype(np.float32), np.ascontiguousarray(vectors[:, :dim], dtype=np.float32)
