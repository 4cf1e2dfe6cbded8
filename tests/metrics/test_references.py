"""Each metric against the implementation that others trust: ranx for lists, scikit-learn for predictions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inkling.core.jagged import Jagged
from inkling.metrics import compute
from inkling.metrics.accuracy import accuracy
from inkling.metrics.auc import auc
from inkling.metrics.calibration import calibration
from inkling.metrics.logloss import logloss
from inkling.metrics.rmse import rmse

N_PEOPLE, WIDTH, N_ITEMS = 120, 12, 40
METRICS = ("precision", "recall", "f1", "hit", "ndcg", "mrr", "map")
KS = (1, 5, 10)
RANX_NAMES = {"hit": "hit_rate"}


@pytest.fixture(scope="session")
def world() -> tuple[np.ndarray, Jagged]:
    """Random lists of distinct items; one to fifteen relevant items each."""
    rng = np.random.default_rng(0)
    recommended = np.stack([rng.permutation(N_ITEMS)[:WIDTH] for _ in range(N_PEOPLE)]).astype(np.int32)
    relevant = [rng.permutation(N_ITEMS)[: rng.integers(1, 16)] for _ in range(N_PEOPLE)]
    return recommended, Jagged.from_lists(relevant)


@pytest.fixture(scope="session")
def ranx_values(world) -> dict[str, np.ndarray]:
    """What ranx says of the same world, by name and person, run as plain Python: compiling it would take minutes."""
    recommended, relevant = world
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        # ranx brings numba and ir_datasets, which warn of their own matters on import.
        warnings.simplefilter("ignore")
        ranx = pytest.importorskip("ranx")
        people = [f"p{person:03}" for person in range(N_PEOPLE)]
        qrels = {name: {str(i): 1 for i in relevant[person]} for person, name in enumerate(people)}
        run = {
            name: {str(item): float(WIDTH - rank) for rank, item in enumerate(recommended[person])}
            for person, name in enumerate(people)
        }
        names = [f"{metric}@{k}" for metric in METRICS for k in KS]
        values = ranx.evaluate(
            ranx.Qrels(qrels),
            ranx.Run(run),
            [f"{RANX_NAMES.get(m, m)}@{k}" for m in METRICS for k in KS],
            return_mean=False,
        )
    return dict(zip(names, values.values(), strict=True))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", KS)
def test_lists_are_measured_as_by_ranx(world, ranx_values, metric, k) -> None:
    recommended, relevant = world
    values = compute([f"{metric}@{k}"], recommended, relevant)[f"{metric}@{k}"]
    expected = ranx_values[f"{metric}@{k}"]
    if metric == "map":
        # ranx divides by all relevant items, also by those that k places cannot hold.
        n_relevant = np.diff(relevant.offsets)
        expected = expected * n_relevant / np.minimum(n_relevant, k)
    assert values == pytest.approx(expected, abs=1e-12)


def test_ndcg_and_average_precision_equal_those_of_scikit_learn(world) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    truth = (rng.random((50, 20)) < 0.2).astype(int)
    truth[:, 0] = 1
    scores = rng.permuted(np.tile(np.arange(20.0), (50, 1)), axis=1)
    recommended = np.argsort(-scores, axis=1).astype(np.int32)
    relevant = Jagged.from_lists([np.flatnonzero(row) for row in truth])
    values = compute(["ndcg@5", "ndcg@20", "map@20"], recommended, relevant)
    for k in (5, 20):
        assert values[f"ndcg@{k}"].mean() == pytest.approx(sklearn_metrics.ndcg_score(truth, scores, k=k))
    expected = sklearn_metrics.label_ranking_average_precision_score(truth, scores)
    assert values["map@20"].mean() == pytest.approx(expected)


PROBABILITIES = hnp.arrays(np.float64, 30, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]))
LABELS = hnp.arrays(np.int64, 30, elements=st.integers(0, 1)).filter(lambda labels: 0 < labels.sum() < 30)


@given(PROBABILITIES, LABELS)
def test_predictions_are_measured_as_by_scikit_learn(probabilities, labels) -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    assert auc(probabilities, labels) == pytest.approx(sklearn_metrics.roc_auc_score(labels, probabilities))
    assert logloss(probabilities, labels) == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))
    assert accuracy(probabilities, labels) == sklearn_metrics.accuracy_score(labels, probabilities >= 0.5)
    assert rmse(probabilities, labels) == pytest.approx(sklearn_metrics.root_mean_squared_error(labels, probabilities))


def test_calibration_equals_the_distance_of_scikit_learns_curve() -> None:
    curve = pytest.importorskip("sklearn.calibration").calibration_curve
    rng = np.random.default_rng(0)
    probabilities = rng.random(2000)
    labels = rng.random(2000) < probabilities**2
    happened, said = curve(labels, probabilities, n_bins=10)
    sizes = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    assert calibration(probabilities, labels) == pytest.approx(np.average(np.abs(happened - said), weights=sizes))
