"""The metrics of predictions against truths: small worlds by hand, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inkling.core.errors import RequestError
from inkling.metrics.accuracy import accuracy
from inkling.metrics.auc import auc
from inkling.metrics.calibration import calibration
from inkling.metrics.logloss import logloss
from inkling.metrics.rmse import rmse


def test_auc_counts_pairs_in_order() -> None:
    assert auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert auc([1, 1], [0, 1]) == 0.5
    assert auc([2, 1], [0, 1]) == 0


def test_auc_without_a_pair_is_not_a_number() -> None:
    assert math.isnan(auc([0.5, 0.1], [1, 1]))


def test_accuracy_at_a_threshold() -> None:
    assert accuracy([0.5, 0.4, 0.9], [1, 1, 1]) == pytest.approx(2 / 3)
    assert accuracy([0.5, 0.4, 0.9], [1, 1, 1], threshold=0.4) == 1


def test_rmse_is_in_the_unit_of_the_values() -> None:
    assert rmse([1, 2], [4, 6]) == pytest.approx(math.sqrt(12.5))


def test_logloss_of_a_coin_and_of_a_wrong_certainty() -> None:
    assert logloss([0.5, 0.5], [0, 1]) == pytest.approx(math.log(2))
    assert 30 < logloss([1.0], [0]) < 40
    assert logloss([1.0, 0.0], [1, 0]) == pytest.approx(0, abs=1e-12)


def test_calibration_of_honest_and_of_boastful_probabilities() -> None:
    assert calibration([0.25] * 4, [1, 0, 0, 0]) == 0
    assert calibration([1.0, 1.0], [0, 1]) == 0.5
    assert calibration([0.2, 0.8], [0, 1], n_bins=1) == 0


@pytest.mark.parametrize("metric", [auc, accuracy, rmse, logloss, calibration])
def test_columns_that_do_not_pair_are_an_error(metric) -> None:
    with pytest.raises(RequestError, match=r"\(1,\) and truths \(2,\) are not two equally long"):
        metric([0.5], [0, 1])
    with pytest.raises(RequestError, match="not two equally long"):
        metric([], [])
    with pytest.raises(RequestError, match=r"NaN or infinity.*Leave those rows out"):
        metric([0.5, np.nan], [0, 1])


@pytest.mark.parametrize("metric", [auc, accuracy, logloss, calibration])
def test_labels_are_zero_or_one(metric) -> None:
    with pytest.raises(RequestError, match="neither 0 nor 1"):
        metric([0.5, 0.5], [0, 5])


@pytest.mark.parametrize("metric", [logloss, calibration])
def test_probabilities_are_probabilities(metric) -> None:
    with pytest.raises(RequestError, match=r"reach from -0\.5 to 3\.0"):
        metric([-0.5, 3], [0, 1])
