from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.ranking import build, inverse_weights, propensities, propensities_of_random
from inkling.ranking.base import RankingSet

LOOKED_AT = np.array([1.0, 0.6, 0.4, 0.25, 0.15])


def log(n=6000, *, seed=0, random=False):
    """Slates of five. ``good`` decides what is relevant; the logger showed items by ``lure`` and some noise.

    ``lure`` says nothing of relevance, but the first place is looked at most, so clicks follow it.
    """
    rng = np.random.default_rng(seed)
    good, lure = rng.normal(size=(2, n, 5))
    order = np.argsort(-(lure + rng.normal(0, 20 if random else 0.7, (n, 5))), axis=1)
    places = np.argsort(order, axis=1).astype(np.int32)
    relevant = rng.random((n, 5)) < 1 / (1 + np.exp(0.5 - 1.5 * good))
    clicks = (relevant & (rng.random((n, 5)) < LOOKED_AT[places])).astype(np.float32).ravel()
    fields = {"good": good.astype(np.float32).ravel(), "lure": lure.astype(np.float32).ravel()}
    rows = np.tile(np.arange(5, dtype=np.int32), n)
    items = Candidates.of(np.arange(n + 1) * 5, rows, np.zeros(5 * n, dtype=np.float32), source="log")
    nobody = Query(History.empty(n), np.zeros(n, dtype=np.int64), 5, np.full(n, -1, dtype=np.int32))
    return RankingSet(nobody, items.with_fields(fields), clicks, positions=places.ravel())


def follows(model, name, seed=9):
    """Return the correlation of a fitted model's scores with a column, on people without any place."""
    fresh = log(500, seed=seed)
    scores = model.score(fresh.query, fresh.candidates.with_fields({"at": np.arange(2500)}))
    return np.corrcoef(scores.scores, fresh.candidates.fields[name][scores.fields["at"]])[0, 1]


def test_random_places_tell_by_their_rates():
    data = log(20_000, random=True)
    assert np.allclose(propensities_of_random(data.labels, data.positions), LOOKED_AT, atol=0.06)


def test_expectation_maximisation_finds_propensities_in_a_log_that_is_not_random():
    found = propensities(log(20_000))
    assert np.allclose(found, LOOKED_AT, atol=0.06)


def test_rates_alone_are_wrong_where_relevance_chose_the_place():
    rng = np.random.default_rng(0)
    data = log(20_000)
    good = data.candidates.fields["good"].reshape(-1, 5)
    places = np.argsort(np.argsort(-(good + rng.normal(0, 0.5, good.shape)), axis=1), axis=1).astype(np.int32)
    relevant = rng.random(good.shape) < 1 / (1 + np.exp(0.5 - 1.5 * good))
    clicks = (relevant & (rng.random(good.shape) < LOOKED_AT[places])).astype(np.float32).ravel()
    biased = replace(data, labels=clicks, positions=places.ravel())
    naive, ours = propensities_of_random(clicks, biased.positions), propensities(biased)
    assert np.abs(naive - LOOKED_AT).max() > 0.15
    assert np.abs(ours - LOOKED_AT).max() < 0.1


def test_items_alone_do_where_each_was_shown_everywhere():
    rng = np.random.default_rng(1)
    n, relevance = 40_000, rng.uniform(0.1, 0.9, 30)
    rows = rng.integers(0, 30, n).astype(np.int32)
    places = np.clip(rng.poisson(3 * (1 - relevance[rows])), 0, 4).astype(np.int32)  # the good ones come first
    clicks = (rng.random(n) < relevance[rows] * LOOKED_AT[places]).astype(np.float32)
    items = Candidates.of(np.arange(n + 1), rows, np.zeros(n, dtype=np.float32), source="log")
    nobody = Query(History.empty(n), np.zeros(n, dtype=np.int64), 30, np.full(n, -1, dtype=np.int32))
    found = propensities(RankingSet(nobody, items, clicks, positions=places), by="items")
    assert np.allclose(found, LOOKED_AT, atol=0.08)


@pytest.mark.parametrize(
    ("name", "settings", "position"),
    [
        ("gbdt", {"trees": 40}, "inverse"),
        ("dcn", {"item_dim": 0, "epochs": 4, "hidden": [8]}, "inverse"),
        ("dcn", {"item_dim": 0, "epochs": 4, "hidden": [8], "loss": "pointwise"}, "tower"),
        ("deepfm", {"item_dim": 0, "epochs": 4, "hidden": [8]}, "tower"),
    ],
)
def test_a_corrected_ranker_does_not_follow_what_only_moved_the_place(name, settings, position):
    if name != "gbdt":
        pytest.importorskip("torch", reason="networks are trained by torch")
    data = log(3000)
    plain = build(name, settings).fit(data, Run())
    fair = build(name, {**settings, "position": position}).fit(data, Run())
    assert follows(plain, "lure") > 0.2  # what decides nothing moved the naive model
    assert abs(follows(fair, "lure")) < 0.5 * follows(plain, "lure")
    assert follows(fair, "good") > max(follows(plain, "good"), 0.7)


def test_weights_stand_for_what_was_not_looked_at():
    places, clicks = np.array([0, 3, 3, -1], dtype=np.int32), np.array([1, 1, 0, 1], dtype=np.float32)
    assert inverse_weights(clicks, places, LOOKED_AT).tolist() == [1, 4, 1, 1]
    assert inverse_weights(clicks, places, np.full(4, 1e-9)).max() == pytest.approx(20)


def test_places_must_be_told():
    data = replace(log(10), positions=None)
    with pytest.raises(DataError, match="where candidates were shown"):
        build("gbdt", {"position": "inverse"}).fit(data, Run())
    with pytest.raises(DataError, match="none is known"):
        propensities(data)
