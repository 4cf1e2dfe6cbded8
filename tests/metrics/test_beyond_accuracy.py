"""Coverage, novelty, diversity and calibration of categories: worlds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.errors import RequestError
from inkling.metrics.calibration import category_calibration, category_shares
from inkling.metrics.coverage import coverage
from inkling.metrics.diversity import diversity
from inkling.metrics.novelty import novelty

LISTS = np.array([[0, 1, 2], [1, 3, -1], [-1, -1, -1]], dtype=np.int32)


def test_coverage_counts_items_not_places() -> None:
    assert coverage(LISTS, 8) == 0.5
    assert coverage(LISTS, 8, k=1) == 0.25
    assert coverage(LISTS[2:], 8) == 0


@pytest.mark.parametrize("n_items", [0, 3])
def test_items_outside_the_catalogue_are_an_error(n_items) -> None:
    with pytest.raises(RequestError, match=f"row 3 is outside a catalogue of {n_items} items"):
        coverage(LISTS, n_items)


def test_novelty_is_bits_of_surprise() -> None:
    # With one added to each, the shares are 1/2, 1/4, 1/8, 1/8.
    popularity = np.array([3, 1, 0, 0])
    assert novelty(LISTS, popularity, 3).tolist() == [2, 2.5, 0]
    assert novelty(LISTS, popularity, 1).tolist() == [1, 2, 0]


def test_diversity_of_equal_orthogonal_and_opposite_items() -> None:
    vectors = np.array([[1, 0], [2, 0], [0, 3], [-1, 0], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, -1]], dtype=np.int32)
    assert diversity(lists, vectors, 2) == pytest.approx([0, 1, 2, 1, 0])
    assert diversity(lists, vectors, 1).tolist() == [0] * 5


@given(st.lists(st.integers(-1, 9), min_size=1, max_size=6), st.integers(0, 100))
def test_diversity_equals_the_loop_over_pairs(rows, seed) -> None:
    vectors = np.random.default_rng(seed).normal(size=(10, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    items = [row for row in rows if row >= 0]
    pairs = [1 - float(unit[a] @ unit[b]) for i, a in enumerate(items) for b in items[i + 1 :]]
    expected = sum(pairs) / len(pairs) if pairs else 0
    assert diversity(np.array([rows], dtype=np.int32), vectors, 10)[0] == pytest.approx(expected, abs=1e-5)


def test_shares_of_categories() -> None:
    categories = np.array([[1, 0], [0.5, 0.5], [0, 1], [0, 0]])
    assert category_shares(LISTS, categories).tolist() == [[0.5, 0.5], [0.5, 0.5], [0, 0]]


def test_a_list_in_proportion_is_calibrated_and_one_that_drops_a_category_is_not() -> None:
    chosen = np.array([[0.7, 0.3], [0.7, 0.3], [0.7, 0.3]])
    shown = np.array([[0.7, 0.3], [0.8, 0.2], [1.0, 0.0]])
    values = category_calibration(chosen, shown)
    assert values[0] == pytest.approx(0)
    assert 0 < values[1] < values[2]
    assert values[2] == pytest.approx(0.7 * np.log(0.7 / 0.997) + 0.3 * np.log(0.3 / 0.003))
