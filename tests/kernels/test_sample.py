from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from inkling.core.errors import RequestError
from inkling.kernels.sample import (
    draw,
    negative_distribution,
    reservoir,
    sample_negatives,
    sample_without_replacement,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_no_row_is_drawn_twice_and_zero_weights_never(rng) -> None:
    weights = np.array([1.0, 0.0, 5.0, 2.0])
    for _ in range(50):
        assert sorted(sample_without_replacement(weights, 10, rng).tolist()) == [0, 2, 3]
    assert sample_without_replacement(weights, 0, rng).tolist() == []


def test_pairs_come_as_often_as_drawing_one_after_the_other_would_bring_them(rng) -> None:
    weights = np.array([1.0, 2.0, 3.0])
    pairs = Counter(tuple(sample_without_replacement(weights, 2, rng).tolist()) for _ in range(20_000))
    for (first, second), count in pairs.items():
        expected = weights[first] / 6 * weights[second] / (6 - weights[first])
        assert count / 20_000 == pytest.approx(expected, abs=0.015)
    assert len(pairs) == 6


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_a_weight_that_means_nothing_is_an_error(rng, weight) -> None:
    with pytest.raises(RequestError, match=r"at row 1 cannot be drawn by.*finite and not negative"):
        sample_without_replacement(np.array([1.0, weight]), 1, rng)


def test_negatives_follow_the_power_of_popularity(rng) -> None:
    popularity = np.array([16, 0, 1])
    rows = sample_negatives(rng, 50_000, 3, popularity=popularity, power=0.5)
    assert rows.dtype == np.int32
    assert np.bincount(rows, minlength=3) / 50_000 == pytest.approx([0.8, 0, 0.2], abs=0.01)


def test_negatives_without_popularity_or_with_power_zero_are_uniform(rng) -> None:
    plain = np.bincount(sample_negatives(rng, 40_000, 4)) / 40_000
    flat = np.bincount(sample_negatives(rng, 40_000, 4, popularity=np.array([9, 1, 1, 0]), power=0)) / 40_000
    assert plain == pytest.approx([0.25] * 4, abs=0.02)
    assert flat == pytest.approx([0.25] * 4, abs=0.02)


def test_popularity_of_zero_everywhere_is_an_error() -> None:
    with pytest.raises(RequestError, match="every popularity is zero"):
        negative_distribution(np.zeros(3))


def test_draws_stay_inside_the_distribution(rng) -> None:
    assert set(draw(negative_distribution(np.array([1, 1])), 1000, rng).tolist()) == {0, 1}


def test_the_same_generator_gives_the_same_draws() -> None:
    first, second = (sample_negatives(np.random.default_rng(3), 20, 100) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_a_reservoir_keeps_each_element_equally_often(rng) -> None:
    counts = Counter(element for _ in range(6000) for element in reservoir(iter("abcdef"), 2, rng))
    assert {element: count / 6000 for element, count in counts.items()} == pytest.approx(
        dict.fromkeys("abcdef", 1 / 3), abs=0.03
    )


def test_a_short_stream_is_kept_whole(rng) -> None:
    assert reservoir([1, 2], 5, rng) == [1, 2]
    assert reservoir([1, 2], 0, rng) == []
