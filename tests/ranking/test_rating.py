from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.ranking import build
from inkling.ranking._biases import solved
from inkling.ranking.base import RankingSet
from inkling.testing.ranking import RankerContract, tasks


class TestRatingContract(RankerContract):
    name = "rating"
    needs_features = False


class TestRatingQuantileContract(RankerContract):
    name = "rating"
    settings = {"dim": 0, "numbers": "quantile"}
    needs_features = False


def critics(n_people=200, n_items=40, *, seed=0, taste=0.0):
    """Everyone rates 15 items at random; value = 3 + the person's bias + the item's + taste, and noise of .1."""
    rng = np.random.default_rng(seed)
    world = np.random.default_rng(99)
    item, kind = world.normal(0, 0.5, n_items), np.sign(world.normal(size=n_items))
    person, likes = rng.normal(0, 0.5, n_people), np.sign(rng.normal(size=n_people))
    lists = [rng.permutation(n_items)[:20].astype(np.int32) for _ in range(n_people)]
    value = [
        3 + person[u] + item[own] + taste * likes[u] * kind[own] + rng.normal(0, 0.1, 20) for u, own in enumerate(lists)
    ]
    past = Jagged.from_lists([own[:15] for own in lists])
    history = replace(History.of_items(past), values=np.concatenate([v[:15] for v in value]).astype(np.float32))
    query = Query(history, np.full(n_people, 10**6), n_items, np.arange(n_people, dtype=np.int32))
    rows = np.concatenate([own[15:] for own in lists])
    items = Candidates.of(np.arange(n_people + 1) * 5, rows, np.zeros(len(rows), dtype=np.float32), source="toy")
    actual = np.concatenate([v[15:] for v in value]).astype(np.float32)
    return RankingSet(query, items, (actual > 3).astype(np.float32), further={"rating": actual})


def error(model, data):
    return float(np.sqrt(np.square(model.predict(data.query, data.candidates) - data.further["rating"]).mean()))


def test_biases_of_people_and_items_are_found():
    model = build("rating", {"dim": 0}).fit(critics(), Run())
    assert error(model, critics(seed=1)) < 0.25  # people never met before; the mean alone is off by .75
    told = model.errors()
    assert told["rmse"] < 0.25
    assert told["mae"] < told["rmse"] < 0.4 * told["rmse_of_mean"]


def test_factors_find_taste():
    data, fresh = critics(taste=0.7), critics(seed=1, taste=0.7)
    plain, deep = (build("rating", {"dim": dim}).fit(data, Run(), validation=fresh) for dim in (0, 4))
    assert error(plain, fresh) > 0.6
    assert error(deep, fresh) < 0.35
    assert deep.errors()["rmse"] == pytest.approx(error(deep, fresh), abs=0.05)


def test_features_explain_what_is_left():
    data = tasks(n_people=400)
    model = build("rating").fit(data, Run())
    assert model.errors()["rmse"] < 0.3 * model.errors()["rmse_of_mean"]
    assert build("rating", {"features": []}).fit(data, Run()).errors()["rmse"] > 0.9 * model.errors()["rmse_of_mean"]


def test_a_rating_counts_at_once():
    model, data = build("rating").fit(critics(), Run()), critics(seed=1)
    history = data.query.history
    kinder = replace(data.query, history=replace(history, values=history.values + 1))
    before, after = (model.predict(q, data.candidates) for q in (data.query, kinder))
    assert (after - before).mean() > 0.4


def test_new_items_and_people_get_the_mean():
    model = build("rating").fit(critics(), Run())
    query = Query(History.empty(1), np.zeros(1, dtype=np.int64), 50, np.array([-1], dtype=np.int32))
    items = Candidates.of(np.array([0, 1]), np.array([49], dtype=np.int32), np.zeros(1, dtype=np.float32), source="x")
    assert model.predict(query, items)[0] == pytest.approx(3, abs=0.3)
    assert build("rating").predict(query, items).tolist() == [0.0]


def test_values_stay_within_what_was_seen():
    data = critics()
    model = build("rating").fit(data, Run())
    history = data.query.history
    wild = replace(data.query, history=replace(history, values=history.values + 100))
    assert model.predict(wild, data.candidates).max() <= data.further["rating"].max()


def test_one_event_in_two_histories_counts_once():
    data = critics(60)
    once = build("rating", {"features": []}).fit(data, Run()).state()["biases.items"]
    twice = build("rating", {"features": []}).fit(RankingSet.join([data, data]), Run()).state()["biases.items"]
    assert np.allclose(once, twice, atol=1e-6)


def test_segments_are_solved_as_one_by_one(monkeypatch):
    monkeypatch.setattr("inkling.ranking._biases._CHUNK", 7)
    rng = np.random.default_rng(0)
    offsets = np.array([0, 3, 3, 12, 20, 20])
    vectors, targets = rng.normal(size=(20, 3)), rng.normal(size=20)
    found = solved(vectors, targets, offsets, 0.5)
    for group, (start, end) in enumerate(pairwise(offsets)):
        v, n = vectors[start:end], end - start
        expected = np.linalg.solve(v.T @ v + 0.5 * (n + 1) * np.eye(3), v.T @ targets[start:end])
        assert np.allclose(found[group], expected)


def test_ratings_must_be_told():
    with pytest.raises(DataError, match="no rating is known"):
        build("rating").fit(replace(tasks(), further={}), Run())
    with pytest.raises(DataError, match="no column colour"):
        build("rating", {"features": ["colour"]}).fit(tasks(), Run())
