from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.kernels import reference
from inkling.kernels.similarity import cosine, dot, euclidean, nearest, normalize_rows


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)


def test_rows_have_length_one_and_zero_rows_stay_zero() -> None:
    x = vectors(4)
    x[2] = 0
    assert np.allclose(np.linalg.norm(normalize_rows(x), axis=1), [1, 1, 0, 1])
    assert normalize_rows(x).dtype == np.float32


@pytest.mark.parametrize(
    ("fast", "slow"),
    [(dot, reference.dot), (cosine, reference.cosine), (euclidean, reference.euclidean)],
    ids=["dot", "cosine", "euclidean"],
)
def test_matrices_equal_their_slow_twins(fast, slow) -> None:
    a, b = vectors(5), vectors(7, seed=1)
    a[0] = 0
    expected = [[slow(x, y) for y in b.tolist()] for x in a.tolist()]
    assert fast(a, b).dtype == np.float32
    assert np.allclose(fast(a, b), expected, atol=1e-5)


def test_the_distance_of_a_row_to_itself_is_not_nan() -> None:
    x = vectors(50) * 1000
    assert np.isfinite(euclidean(x, x)).all()


@pytest.mark.parametrize("measure", ["dot", "cosine", "euclidean"])
def test_blocks_do_not_change_the_answer(measure) -> None:
    queries, items = vectors(4), vectors(100, seed=1)
    items[50:60] = items[10:20]
    whole, scores = nearest(queries, items, 12, measure=measure)
    blocked, blocked_scores = nearest(queries, items, 12, measure=measure, block_rows=7)
    assert np.allclose(scores, blocked_scores, atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.mean(whole == blocked) > 0.95


def test_ties_across_blocks_go_to_the_lower_row() -> None:
    items = np.ones((9, 2), dtype=np.float32)
    rows, _ = nearest(items[:1], items, 5, measure="dot", block_rows=2)
    assert rows.tolist() == [[0, 1, 2, 3, 4]]


def test_a_row_is_nearest_to_itself_and_missing_places_are_padded() -> None:
    items = np.eye(3, dtype=np.float32)
    rows, scores = nearest(items, items, 5, measure="euclidean", block_rows=2)
    assert rows[:, 0].tolist() == [0, 1, 2]
    assert scores[:, 0].tolist() == [0, 0, 0]
    assert rows[:, 3:].tolist() == [[-1, -1]] * 3


def test_an_unknown_measure_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no similarity measure 'cosin'.*Did you mean 'cosine'"):
        nearest(vectors(1), vectors(2), 1, measure="cosin")
