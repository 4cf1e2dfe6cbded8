from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.ranking import RANKERS, build
from inkling.ranking.linear import newton
from inkling.testing.ranking import RankerContract, tasks


class TestLinearContract(RankerContract):
    name = "linear"


class TestLinearPointwiseContract(RankerContract):
    name = "linear"
    settings = {"loss": "pointwise", "l2": 0.1}


def test_newton_equals_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    y = (x @ np.array([1.0, -2, 0, 0.5, 0]) + rng.logistic(size=400) > 0).astype(int)
    peer = LogisticRegression(C=1 / 3.0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(x, y)
    ours = newton(x * np.where(y, 1, -1)[:, None].astype(np.float32), np.ones(400), np.full(5, 3.0))
    assert np.allclose(ours, peer.coef_[0], atol=1e-4)


def test_pointwise_scores_are_log_odds():
    data = tasks(n_people=400)
    ranked = build("linear", {"loss": "pointwise"}).fit(data, Run()).score(data.query, data.candidates)
    assert (1 / (1 + np.exp(-ranked.scores))).mean() == pytest.approx(data.labels.mean(), abs=0.01)


def test_what_is_missing_has_a_weight_of_its_own():
    data = tasks()
    absent = np.isnan(data.candidates.fields["gap"])
    blind = replace(data, labels=absent.astype(np.float32))
    ranked = build("linear").fit(blind, Run()).score(data.query, data.candidates)
    top = ranked.top(1).fields["gap"]
    assert np.isnan(top).mean() > 0.95


def test_clip_holds_outliers():
    data = tasks()
    wild = data.candidates.fields["signal"].copy()
    wild[0] = 1e9
    model = build("linear", {"clip": 2.0}).fit(data, Run())
    items = data.candidates.with_fields({"signal": wild})
    assert np.abs(model.contributions(items)["signal"]).max() <= 2.001 * np.abs(model.state()["weights"]).max()


def test_more_regularisation_is_smaller():
    loose, tight = (build("linear", {"l2": l2}).fit(tasks(), Run()).state()["weights"] for l2 in (0.1, 1000.0))
    assert np.abs(tight).max() < np.abs(loose).max()


def test_pairs_and_chosen_features():
    model = build("linear", {"pairs": 2, "features": ["noise", "signal"]}).fit(tasks(), Run())
    assert list(model.importances()) == ["noise", "signal"]
    with pytest.raises(DataError, match=r"no column colour\. They have: constant, gap, noise, signal"):
        build("linear", {"features": ["colour"]}).fit(tasks(), Run())


def test_examples_count_by_their_weight():
    data = tasks()
    against = replace(data, labels=1 - data.labels)
    both_labels = np.concatenate([data.labels[:900], against.labels[900:]])
    weights = np.ones(len(both_labels), dtype=np.float32)
    weights[900:] = 0.01
    mixed = replace(data, labels=both_labels, weights=weights)
    model = build("linear", {"loss": "pointwise"}).fit(mixed, Run())
    assert model.state()["weights"][3] > 0
    flipped = build("linear", {"loss": "pointwise"}).fit(replace(mixed, weights=weights[::-1].copy()), Run())
    assert flipped.state()["weights"][3] < 0


def test_the_folder_is_the_catalogue():
    assert {"linear", "gbdt"} <= set(RANKERS.names())
    assert all(RANKERS.get(name).name == name for name in RANKERS.names())
    with pytest.raises(ConfigError, match=r"ranking\.linear: unknown key 'l1'"):
        build("linear", {"l1": 1})
