"""Where items begin: near those that people have close to them. A matrix of co-occurrences, cut down to d numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, F64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from inkling.training.sequences import Sequences

_GAPS = 12
_DECAY = 0.8
_DAMPING = 5.0
# Pairs are counted in the events of the last people only: 12 gaps of 2 million are 24 million pairs.
_MOST_EVENTS = 2_000_000
_TOLERANCE = 1e-2
# Up to so many items for each dimension the whole spectrum costs less than the search for a part of it.
_DENSE = 4


def near_start(sequences: Sequences, shape: tuple[int, int], rng: np.random.Generator) -> F32:
    """Return (n_items, d) vectors whose products are the damped cosines of co-occurrence, of mean length 1.

    Items m places apart in a sequence count .8^(m - 1), up to 12 places, both ways; row and column sums are divided
    out. The leading eigenvectors times the roots of their eigenvalues. An item without a neighbour has zeros.
    """
    n_items, dim = shape
    near = _cosines(_co_occurrences(sequences, n_items))
    vectors = _leading(near, min(dim, n_items), rng)
    out = np.zeros((n_items, dim), dtype=np.float32)
    out[:, : vectors.shape[1]] = vectors
    lengths = np.linalg.norm(out, axis=1)
    mean = lengths[lengths > 0].mean() if (lengths > 0).any() else 1.0
    return (out / mean).astype(np.float32)


def _co_occurrences(sequences: Sequences, n_items: int) -> csr_array:
    from scipy.sparse import coo_array, csr_array

    items = sequences.items[-_MOST_EVENTS:]
    owner = np.repeat(np.arange(len(sequences)), sequences.lengths)[-_MOST_EVENTS:]
    total = csr_array((n_items, n_items), dtype=np.float32)
    for gap in range(1, min(_GAPS, len(items) - 1) + 1):
        same = owner[gap:] == owner[:-gap]
        left, right = items[:-gap][same], items[gap:][same]
        weight = np.full(len(left), _DECAY ** (gap - 1), dtype=np.float32)
        total = total + coo_array((weight, (left, right)), shape=(n_items, n_items)).tocsr()
    return (total + total.T).tocsr()


def _cosines(counts: csr_array) -> csr_array:
    """Return counts over the roots of both items' sums, plus the mean on the diagonal: an item is near itself."""
    from scipy.sparse import diags_array

    sums = np.asarray(counts.sum(axis=1)).ravel()
    scale = diags_array(1.0 / np.sqrt(sums + _DAMPING))
    scaled = (scale @ counts @ scale).tocsr().astype(np.float32)
    mean = float(scaled.data.mean()) if scaled.nnz else 0.0
    return (scaled + diags_array(np.where(sums > 0, mean, 0.0).astype(np.float32))).tocsr()


def _leading(matrix: csr_array, dim: int, rng: np.random.Generator) -> F64:
    """Return (n, d): the eigenvectors of the largest eigenvalues above 0, times their roots."""
    from scipy.sparse.linalg import eigsh

    n_items = matrix.shape[0]
    if n_items <= _DENSE * dim:
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        first = rng.standard_normal(n_items).astype(np.float32)
        values, vectors = eigsh(matrix, k=dim, which="LA", tol=_TOLERANCE, v0=first)
    best = np.argsort(-values, kind="stable")[:dim]
    leading: F64 = vectors[:, best] * np.sqrt(np.maximum(values[best], 0.0))
    return leading


def turned_onto(vectors: F32, anchors: F32) -> F32:
    """Return vectors (n, d) turned as a whole so that they lie nearest to the anchors that are not zero.

    Neither lengths nor angles change (orthogonal Procrustes, Schonemann 1966). Without anchors nothing is turned.
    """
    there = anchors.any(axis=1) & vectors.any(axis=1)
    if not there.any():
        return vectors
    left, _, right = np.linalg.svd(vectors[there].T.astype(np.float64) @ anchors[there])
    turned: F32 = (vectors @ (left @ right)).astype(np.float32)
    return turned
