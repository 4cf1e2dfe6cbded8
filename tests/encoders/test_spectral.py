from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from inkling.encoders._spectral import directions


def spectrum(values, shape, seed=0):
    """Return a matrix (shape) with these singular values, and its right singular vectors."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, len(values))))[0] for n in shape)
    return csr_array((left * np.array(values)) @ right.T, dtype=np.float32), right


def test_it_finds_what_a_dense_decomposition_finds():
    matrix, right = spectrum([9, 6, 4, 2, 1, 0.5, 0.2], (80, 50))
    axes, strengths = directions(matrix, 4, np.random.default_rng(1))
    np.testing.assert_allclose(strengths, [9, 6, 4, 2], rtol=1e-4)
    np.testing.assert_allclose(np.abs(axes.T @ right[:, :4]), np.eye(4), atol=1e-3)
    np.testing.assert_allclose(axes.T @ axes, np.eye(4), atol=1e-5)
    assert (axes.max(axis=0) == np.abs(axes).max(axis=0)).all()


def test_a_slow_fall_beyond_the_last_direction_is_cut_nearly_right():
    matrix, _ = spectrum(1 / np.arange(1, 101), (300, 200))
    axes, strengths = directions(matrix, 20, np.random.default_rng(1))
    dense = np.linalg.svd(matrix.toarray())[1][:20]
    np.testing.assert_allclose(strengths, dense, rtol=0.05)
    assert axes.shape == (200, 20)


def test_fewer_come_back_where_there_are_fewer():
    matrix, _ = spectrum([3, 2], (10, 6))
    axes, strengths = directions(matrix, 5, np.random.default_rng(0))
    assert axes.shape == (6, 2)
    np.testing.assert_allclose(strengths, [3, 2], rtol=1e-4)


def test_the_guess_does_not_matter():
    matrix, _ = spectrum([9, 6, 4, 2], (40, 30))
    one, other = (directions(matrix, 3, np.random.default_rng(seed))[0] for seed in (0, 1))
    np.testing.assert_allclose(one, other, atol=1e-3)
