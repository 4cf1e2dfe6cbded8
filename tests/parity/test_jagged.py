"""Each jagged kernel against its slow twin, and a batch against its people one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.kernels import jagged, reference

LISTS = st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.25, 2.0, 8.0]), max_size=12), min_size=1, max_size=6)


def flat(lists: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    return jagged.from_lists(lists, np.float32)


@given(LISTS)
def test_reductions(lists) -> None:
    offsets, values = flat(lists)
    args = offsets.tolist(), values.tolist()
    assert jagged.segment_sum(offsets, values).tolist() == reference.segment_sum(*args)
    assert jagged.segment_max(offsets, values).tolist() == reference.segment_max(*args)
    assert jagged.segment_argmax(offsets, values).tolist() == reference.segment_argmax(*args)


@given(LISTS, st.integers(0, 14))
def test_orders(lists, k) -> None:
    offsets, values = flat(lists)
    args = offsets.tolist(), values.tolist()
    assert jagged.segment_rank(offsets, values).tolist() == reference.segment_rank(*args)
    assert jagged.to_lists(*jagged.segment_topk(offsets, values, k)) == reference.segment_topk(*args, k)
    assert jagged.to_lists(*jagged.segment_unique(offsets, values)) == reference.segment_unique(*args)


@given(LISTS)
def test_normalisation(lists) -> None:
    offsets, values = flat(lists)
    expected = reference.segment_minmax(offsets.tolist(), values.tolist())
    assert jagged.segment_normalise(offsets, values) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [0, 1, 200, 1_023, 1_024, 5_000])
def test_one_long_segment_is_answered_as_in_a_batch(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.integers(50, size=n).astype(np.float32)
    single, double = np.array([0, n]), np.array([0, n, n])
    for k in (1, 20, n):
        assert np.array_equal(jagged.segment_topk(single, values, k)[1], jagged.segment_topk(double, values, k)[1])
    assert np.array_equal(jagged.segment_rank(single, values), jagged.segment_rank(double, values))
    assert np.array_equal(jagged.segment_unique(single, values)[1], jagged.segment_unique(double, values)[1])
    for method in ("minmax", "max"):
        one = jagged.segment_normalise(single, values, method=method)
        assert np.array_equal(one, jagged.segment_normalise(double, values, method=method))
    scores = rng.normal(size=n).astype(np.float32)
    assert jagged.segment_sum(single, scores)[0] == jagged.segment_sum(double, scores)[0]


def test_more_segments_than_sixteen_bits_can_name() -> None:
    offsets = np.arange(40_001) * 2
    values = np.tile(np.array([1, 2], dtype=np.float32), 40_000)
    assert jagged.segment_rank(offsets, values).tolist() == [1, 0] * 40_000


@given(st.lists(st.lists(st.floats(width=32), max_size=9), min_size=2, max_size=5))
def test_any_float_is_ordered_as_by_a_stable_sort(lists) -> None:
    offsets, values = flat(lists)
    expected = [int(start) + np.argsort(-values[start:end], kind="stable") for start, end in pairwise(offsets)]
    assert np.array_equal(jagged.segment_order(offsets, values), np.concatenate(expected))


@given(st.lists(st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(0, 3), max_size=9), min_size=1, max_size=5))
def test_any_whole_number_is_kept_once(lists) -> None:
    offsets, values = jagged.from_lists(lists, np.int32)
    expected = reference.segment_unique(offsets.tolist(), values.tolist())
    assert jagged.to_lists(*jagged.segment_unique(offsets, values)) == expected


def test_numbers_too_wide_to_pack_are_ordered_all_the_same() -> None:
    values = np.random.default_rng(0).normal(size=70_000).astype(np.float32)
    offsets = np.arange(70_001)
    assert jagged.segment_order(offsets, values).tolist() == list(range(70_000))
    rows = np.tile(np.array([2**31 - 1, 2**31 - 1], dtype=np.int32), 35_000)
    assert len(jagged.segment_unique(np.arange(0, 70_001, 2), rows)[1]) == 35_000
