"""The ranker: three libraries learn the same lessons, and the one that answers fastest here is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.latency._world import CANDIDATES

TREES, LEAVES, DEPTH, RATE = 60, 16, 4, 0.1
_ROUNDS = 300
Score = Callable[[Any], Any]


def catboost(x: Any, y: Any) -> Score:
    """Return scores by symmetric trees."""
    from catboost import CatBoostClassifier, FeaturesData, Pool

    settings = {"iterations": TREES, "depth": DEPTH, "learning_rate": RATE, "border_count": 64, "thread_count": 1}
    model = CatBoostClassifier(**settings, verbose=0, allow_writing_files=False, random_seed=0).fit(x, y)

    def score(rows: Any) -> Any:
        pool = Pool(FeaturesData(num_feature_data=rows))  # twice as fast as to hand over the matrix itself
        return model.predict(pool, prediction_type="RawFormulaVal", thread_count=1)

    return score


def xgboost(x: Any, y: Any) -> Score:
    """Return scores by trees predicted in place."""
    import xgboost as library

    settings = {"objective": "binary:logistic", "max_depth": DEPTH, "max_leaves": LEAVES, "eta": RATE, "nthread": 1}
    model = library.train(settings, library.DMatrix(x, y), TREES)
    return lambda rows: model.inplace_predict(rows, validate_features=False, predict_type="margin")


def lightgbm(x: Any, y: Any) -> Score:
    """Return scores by leaf-wise trees; it converts anything but doubles."""
    import lightgbm as library

    settings = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": RATE, "num_threads": 1, "verbose": -1}
    model = library.train(settings, library.Dataset(x, y), TREES)
    return lambda rows: model.predict(rows.astype(np.float64), raw_score=True, num_threads=1)


KINDS: dict[str, Callable[[Any, Any], Score]] = {"catboost": catboost, "xgboost": xgboost, "lightgbm": lightgbm}


def fastest(x: Any, y: Any) -> tuple[str, Score, dict[str, float]]:
    """Return the ranker that takes least time for one person's candidates, and the median microseconds of each."""
    made = {name: kind(x, y) for name, kind in KINDS.items()}
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
