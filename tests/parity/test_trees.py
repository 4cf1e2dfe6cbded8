"""Exported trees against the library that grew them and against the slow twin."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.kernels import reference
from inkling.kernels.lightgbm_text import from_lightgbm_text
from inkling.kernels.trees import TreeEnsemble, score

N_FEATURES = 12


def features(n: int, seed: int) -> np.ndarray:
    """Continuous, coarse and binary columns, with gaps, extremes and zeros."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    x[:, 4:8] = np.round(x[:, 4:8] * 2) / 2
    x[:, 8:] = x[:, 8:] > 0
    x[:, :9][rng.random((n, 9)) < 0.1] = np.nan
    return x


def grow(objective: str, n_leaves: int, **params):
    lightgbm = pytest.importorskip("lightgbm")
    x = features(3000, 0)
    signal = np.nan_to_num(x)
    y = signal[:, 0] * signal[:, 1] + np.sin(signal[:, 4]) + signal[:, 9] + np.isnan(x[:, 2])
    group = None
    if objective != "regression":
        y = (y > 0.5).astype(int)
    if objective == "lambdarank":
        group = [30] * 100
    settings = {"objective": objective, "num_leaves": n_leaves, "verbose": -1, "num_threads": 1, "seed": 0, **params}
    return lightgbm.train(settings, lightgbm.Dataset(x, y, group=group), num_boost_round=25)


@pytest.mark.parametrize("objective", ["regression", "binary", "lambdarank"])
@pytest.mark.parametrize("n_leaves", [2, 16, 31, 64])
def test_scores_equal_those_of_lightgbm(objective, n_leaves) -> None:
    booster = grow(objective, n_leaves)
    x = features(2000, 1)
    # A split between missing and present has an infinite threshold, which infinity itself does not exceed.
    x[0], x[1], x[2], x[3] = np.nan, np.inf, -np.inf, 0
    scores = score(from_lightgbm_text(booster.model_to_string()), x)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(booster.predict(x, raw_score=True), abs=1e-6, rel=1e-6)


@pytest.mark.parametrize(
    "params", [{"use_missing": False}, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}]
)
def test_other_ways_of_growing(params) -> None:
    booster = grow("regression", 16, **params)
    x = features(500, 2)
    expected = booster.predict(x)
    assert score(from_lightgbm_text(booster.model_to_string()), x) == pytest.approx(expected, abs=1e-6, rel=1e-6)


def columns_of(ensemble: TreeEnsemble) -> list[dict[str, list[float]]]:
    names = ("feature", "threshold", "nan_left", "left", "right", "leaf_value")
    return [{name: getattr(ensemble, name)[tree].tolist() for name in names} for tree in range(ensemble.n_trees)]


def test_scores_equal_the_slow_twin_and_a_batch_its_rows() -> None:
    ensemble = from_lightgbm_text(grow("lambdarank", 16).model_to_string())
    x = features(3000, 3)
    scores = score(ensemble, x)
    expected = [reference.score_trees(columns_of(ensemble), row) for row in x[:100].tolist()]
    assert scores[:100] == pytest.approx(expected, abs=1e-6)
    singly = np.concatenate([score(ensemble, x[row : row + 1]) for row in range(100)])
    assert np.array_equal(singly, scores[:100])
