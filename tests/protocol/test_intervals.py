"""Intervals: do they cover, are they paired, do people stay whole?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from inkling.core.errors import ProtocolError
from inkling.protocol.intervals import compare, intervals, pool, resample


def test_about_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(3)
    held = 0
    for trial in range(200):
        values = rng.exponential(1.0, size=(150, 1))
        (found,) = intervals(values, np.arange(150), n_resamples=300, seed=trial)
        held += found.low <= 1.0 <= found.high
    assert 0.89 <= held / 200 <= 0.99


def test_the_same_seed_gives_the_same_and_columns_do_not_move_each_other():
    values = np.random.default_rng(0).random((50, 3))
    whole = resample(values, np.arange(50), n_resamples=100)
    alone = resample(values[:, 1:2], np.arange(50), n_resamples=100)
    assert whole[:, 1] == pytest.approx(alone[:, 0])


def test_the_order_of_people_does_not_matter():
    rng = np.random.default_rng(1)
    values, order = rng.random((40, 1)), rng.permutation(40)
    assert resample(values, np.arange(40)) == pytest.approx(resample(values[order], np.arange(40)[order]))


def test_people_are_drawn_with_all_their_rows():
    once = np.random.default_rng(2).random((30, 1))
    thrice, people = np.repeat(once, 3, axis=0), np.repeat(np.arange(30), 3)
    assert resample(thrice, people) == pytest.approx(resample(once, np.arange(30)))
    assert intervals(thrice, people)[0].n == 30


def test_nobody_has_no_interval():
    (none,) = intervals(np.empty((0, 1)), np.empty(0, dtype=np.int32))
    assert none.n == 0
    assert math.isnan(none.mean)
    with pytest.raises(ProtocolError, match="expected equally many, at least 1"):
        resample(np.empty((0, 1)), np.empty(0, dtype=np.int32))


def test_a_pair_is_sure_where_the_single_numbers_are_not():
    hard = np.random.default_rng(4).random(60)
    found = compare(hard + 0.01, hard, np.arange(60))
    assert found.difference.mean == pytest.approx(0.01)
    assert found.difference.low == pytest.approx(0.01)
    assert found.difference.high == pytest.approx(0.01)
    assert found.share == 0.0
    assert found.ratio.mean == pytest.approx((hard.mean() + 0.01) / hard.mean())


def test_no_difference_is_not_a_win():
    same = np.random.default_rng(5).random(60)
    assert compare(same, same, np.arange(60)).share == 1.0


def test_nothing_to_divide_by():
    found = compare(np.ones(5), np.zeros(5), np.arange(5))
    assert math.isnan(found.ratio.mean)
    assert math.isnan(found.ratio.low)


def test_a_pair_needs_the_same_rows():
    with pytest.raises(ProtocolError, match="5 and 4 rows; a pair needs the same"):
        compare(np.ones(5), np.ones(4), np.arange(5))


def test_pooled_folds_keep_their_people():
    values, rows = pool([(np.ones((2, 1)), np.array([0, 1])), (np.zeros((1, 1)), np.array([1]))])
    assert values[:, 0].tolist() == [1, 1, 0]
    assert rows.tolist() == [0, 1, 1]
