from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inkling.kernels import reference
from inkling.kernels.topk import topk, topk_rows

SCORES = hnp.arrays(
    np.float32, st.integers(0, 300), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, 3.0, np.nan])
)


def test_descending_with_the_lower_row_first_among_equals() -> None:
    rows, scores = topk(np.array([1, 3, 2, 3, 1], dtype=np.float32), 4)
    assert rows.tolist() == [1, 3, 2, 0]
    assert scores.tolist() == [3, 3, 2, 1]
    assert rows.dtype == np.int32
    assert scores.dtype == np.float32


@pytest.mark.parametrize(("k", "expected"), [(-1, []), (0, []), (1, [0]), (3, [0, 1, 2]), (1_000_000, [0, 1, 2])])
def test_any_k_is_answered(k: int, expected: list[int]) -> None:
    assert topk(np.array([3, 2, 1], dtype=np.float32), k)[0].tolist() == expected


def test_minus_infinity_nan_and_masked_rows_are_never_returned() -> None:
    scores = np.array([-np.inf, 5, np.nan, 4, 6], dtype=np.float32)
    mask = np.array([True, True, True, True, False])
    assert topk(scores, 5, mask=mask)[0].tolist() == [1, 3]
    assert topk(np.full(1000, -np.inf, dtype=np.float32), 5)[0].tolist() == []


def test_no_scores_give_no_rows() -> None:
    assert topk(np.empty(0, dtype=np.float32), 3)[0].tolist() == []


@given(SCORES, st.integers(0, 320))
def test_equals_the_slow_twin(scores: np.ndarray, k: int) -> None:
    assert topk(scores, k)[0].tolist() == reference.topk(scores.tolist(), k)


@pytest.mark.parametrize("n", [127, 129, 4_000, 16_385, 100_000])
@pytest.mark.parametrize("k", [1, 10, 700])
@pytest.mark.parametrize("levels", [3, 10**6])
def test_equals_a_stable_sort_at_every_size(n: int, k: int, levels: int) -> None:
    scores = np.random.default_rng(n + k).integers(levels, size=n).astype(np.float32)
    scores[::7] = -np.inf
    expected = np.argsort(-scores, kind="stable")[:k]
    rows, best = topk(scores, k)
    assert rows.tolist() == expected[scores[expected] > -np.inf].tolist()
    assert np.array_equal(best, scores[rows])


def test_a_large_row_of_nan_and_few_numbers() -> None:
    scores = np.full(50_000, np.nan, dtype=np.float32)
    scores[[40_000, 7]] = [1, 2]
    assert topk(scores, 5)[0].tolist() == [7, 40_000]


@pytest.mark.parametrize("n", [5, 128, 129, 3_000])
def test_each_row_equals_topk_of_that_row_alone(n: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(20, size=(6, n)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    scores[2] = -np.inf
    scores[3, 0] = np.nan
    mask = rng.random(scores.shape) < 0.8
    rows, best = topk_rows(scores, 10, mask=mask)
    assert rows.shape == best.shape == (6, 10)
    for index in range(6):
        alone, values = topk(scores[index], 10, mask=mask[index])
        assert rows[index].tolist() == alone.tolist() + [-1] * (10 - len(alone))
        assert best[index].tolist() == values.tolist() + [-np.inf] * (10 - len(alone))


def test_rows_take_one_mask_for_all() -> None:
    scores = np.array([[1, 2, 3], [3, 2, 1]], dtype=np.float32)
    assert topk_rows(scores, 1, mask=np.array([True, True, False]))[0].tolist() == [[1], [0]]
    assert topk_rows(scores, 0)[0].shape == (2, 0)
