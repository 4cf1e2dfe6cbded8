"""The ranker: three libraries learn the same lessons, and the one that answers fastest here is taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.latency._world import CANDIDATES

_ROUNDS = 100
Score = Callable[[Any], Any]
Size = tuple[int, int, float]
"""How many trees, with how many leaves, learning at what rate."""


def catboost(x: Any, y: Any, size: Size) -> Score:
    """Return scores by symmetric trees."""
    from catboost import CatBoostClassifier, FeaturesData, Pool

    n_trees, leaves, rate = size
    settings = {"iterations": n_trees, "depth": _depth(leaves), "learning_rate": rate, "thread_count": 1}
    model = CatBoostClassifier(**settings, border_count=64, verbose=0, allow_writing_files=False, random_seed=0).fit(
        x, y
    )

    def score(rows: Any) -> Any:
        pool = Pool(FeaturesData(num_feature_data=rows))  # twice as fast as to hand over the matrix itself
        return model.predict(pool, prediction_type="RawFormulaVal", thread_count=1)

    return score


def xgboost(x: Any, y: Any, size: Size) -> Score:
    """Return scores by trees predicted in place."""
    import xgboost as library

    n_trees, leaves, rate = size
    settings = {"objective": "binary:logistic", "max_depth": _depth(leaves), "eta": rate, "nthread": 1}
    model = library.train(settings, library.DMatrix(x, y), n_trees)
    return lambda rows: model.inplace_predict(rows, validate_features=False, predict_type="margin")


def lightgbm(x: Any, y: Any, size: Size) -> Score:
    """Return scores by leaf-wise trees; it converts anything but doubles."""
    import lightgbm as library

    n_trees, leaves, rate = size
    settings = {"objective": "binary", "num_leaves": leaves, "learning_rate": rate, "num_threads": 1, "verbose": -1}
    model = library.train(settings, library.Dataset(x, y), n_trees)
    return lambda rows: model.predict(rows.astype(np.float64), raw_score=True, num_threads=1)


def _depth(leaves: int) -> int:
    return max(round(math.log2(leaves)), 1)


KINDS: dict[str, Callable[[Any, Any, Size], Score]] = {"catboost": catboost, "xgboost": xgboost, "lightgbm": lightgbm}


def fastest(x: Any, y: Any, size: Size) -> tuple[str, Score, dict[str, float]]:
    """Return the ranker that takes least time for one person's candidates, and the median microseconds of each."""
    made = {name: kind(x, y, size) for name, kind in KINDS.items()}
    rows = np.ascontiguousarray(x[:CANDIDATES])
    took: dict[str, list[int]] = {name: [] for name in made}
    for _ in range(_ROUNDS):
        for name, score in made.items():
            start = time.perf_counter_ns()
            score(rows)
            took[name].append(time.perf_counter_ns() - start)
    medians = {name: float(np.median(ns)) / 1000 for name, ns in took.items()}
    best = min(medians, key=lambda name: medians[name])
    return best, made[best], medians
