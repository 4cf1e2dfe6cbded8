from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from inkling.core.errors import DataError
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.core.tables import Links
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


def linked(data, pairs, weights=None):
    columns = {"user_id": [f"u{a}" for a, _ in pairs], "friend_id": [f"u{b}" for _, b in pairs]}
    if weights is not None:
        columns["weight"] = pl.Series(weights, dtype=pl.Float32)
    return replace(data, links=Links(pl.DataFrame(columns)))


def both_ways(pairs):
    return [*pairs, *((b, a) for a, b in pairs)]


def shop(data=None):
    data = data or worlds.shop()
    return linked(data, both_ways([(u, (u * 7 + 3) % data.n_users) for u in range(data.n_users) if u != 6]))


class TestSocialContract(RetrieverContract):
    name = "social"
    update_equals_refit = False  # nearness stays as it was fitted

    def fitted(self, data=None):
        return self.make().fit(shop(data), Run(seed=7))


class TestSocialFriendsOnlyContract(TestSocialContract):
    settings = {"taste": 0.0, "circles": 1.0, "popularity": 0.0, "max_friends": 3, "fit_half_life_days": 30}

    def query(self, n=12):
        return replace(super().query(n), user_rows=np.array([*range(n - 1), 1], dtype=np.int32))


@pytest.fixture
def club():
    """Persons 0, 1 and 2 took nothing alike; 0 is a friend of 1, 1 of 2, and 3 shares an item with 0."""
    happenings = [Happening(0, 0, 1), Happening(1, 1, 1), Happening(2, 2, 1), Happening(3, 0, 1), Happening(3, 3, 1)]
    return linked(worlds.dataset(happenings, shape=(4, 5)), both_ways([(0, 1), (1, 2)]))


def answer(model, data, user, k=10):
    query = worlds.without_history(data.query(np.array([user], dtype=np.int32)))
    return model.retrieve(query, k).item_rows.tolist()


def test_friends_come_before_friends_of_friends(club):
    model = build("social", {"taste": 0.0, "popularity": 0.0}).fit(club, Run())
    assert answer(model, club, 0) == [1, 2]


def test_taste_reaches_who_is_not_linked(club):
    assert answer(build("social", {"circles": 0.0}).fit(club, Run()), club, 0) == [3]
    assert set(answer(build("social").fit(club, Run()), club, 0)) == {1, 2, 3}


def test_friends_answer_for_somebody_without_a_history(club):
    model = build("social").fit(club, Run())
    query = Query(History.empty(1), np.array([club.until]), club.n_items, np.array([1], dtype=np.int32))
    assert set(model.retrieve(query, 5).item_rows.tolist()) == {0, 2}


def test_nearness_is_the_formula():
    data = shop()
    settings = {"circles": 0.4, "trust": 2.0, "neighbours": 1000, "popularity": 0.5, "fit_half_life_days": 0.0}
    model = build("social", settings).fit(data, Run())
    events = data.interactions.select(data.interactions.weights > 0)
    taken = np.zeros((data.n_users, data.n_items))
    np.maximum.at(taken, (events.user_rows, events.item_rows), events.weights)
    links = np.zeros((data.n_users, data.n_users))
    frame = data.links.frame
    links[data.user_ids.rows(frame["user_id"]), data.user_ids.rows(frame["friend_id"])] = 1.0
    sizes = taken.sum(axis=0)
    weighed = taken * np.log1p(data.n_users / np.maximum(sizes, 1e-3))
    circle = (links + np.eye(data.n_users)) / np.log(np.maximum(links.sum(axis=0), 2))

    def cosines(rows):
        lengths = np.linalg.norm(rows, axis=1)
        return rows @ rows.T / np.maximum(np.outer(lengths, lengths), 1e-12)

    near = np.zeros((data.n_users, data.n_users))
    query = data.query(np.arange(data.n_users, dtype=np.int32))
    for user in range(data.n_users):
        own = np.zeros(data.n_items)
        rows, weights = query.history.take([user]).item_rows, query.history.take([user]).weights
        own[rows[weights > 0]] = weights[weights > 0]  # the last event with an item is the taste's weight
        own *= np.log1p(data.n_users / np.maximum(sizes, 1e-3))
        alike = weighed @ own / np.maximum(np.linalg.norm(weighed, axis=1) * np.linalg.norm(own), 1e-12)
        near[user] = alike * (1 + 2.0 * links[user]) + 0.4 * cosines(circle)[user]
    np.fill_diagonal(near, 0.0)
    expected = near @ taken / np.sqrt(np.maximum(sizes, 1.0))
    assert np.allclose(model.scores(query), expected, rtol=1e-4, atol=1e-5)


def test_old_takings_count_less():
    data = worlds.dataset([Happening(1, 1, 0), Happening(1, 2, 100), Happening(0, 0, 100)], shape=(2, 3))
    data = linked(data, both_ways([(0, 1)]))
    model = build("social", {"fit_half_life_days": 10.0, "popularity": 0.0}).fit(data, Run())
    scores = model.scores(data.query(np.array([0], dtype=np.int32)))[0]
    assert scores[1] == pytest.approx(scores[2] / 2**10, rel=1e-3)


def test_what_friends_take_from_now_on_counts(club):
    model = build("social", {"popularity": 0.0}).fit(club, Run())
    before = model.scores(club.query(np.array([0], dtype=np.int32)))[0]
    event = club.interactions.select(np.array([0]))
    new = replace(event, user_rows=np.array([1], dtype=np.int32), item_rows=np.array([4], dtype=np.int32))
    model.update(new)
    model.update(new)
    after = model.scores(club.query(np.array([0], dtype=np.int32)))[0]
    assert (before[4], after[4]) == (0.0, pytest.approx(float(after[1])))
    assert np.array_equal(before[:4], after[:4])
    loaded = build("social", {"popularity": 0.0}).load_state(model.state())
    assert np.array_equal(loaded.scores(club.query(np.array([0], dtype=np.int32)))[0], after)


def test_stronger_links_weigh_more_and_only_the_strongest_are_kept():
    happenings = [Happening(0, 0, 1), Happening(1, 0, 1), Happening(2, 0, 1), Happening(1, 1, 1), Happening(2, 2, 1)]
    data = linked(worlds.dataset(happenings, shape=(3, 3)), [(0, 1), (0, 2)], weights=[0.2, 0.9])
    assert answer(build("social").fit(data, Run()), data, 0) == [2, 1]
    only = build("social", {"max_friends": 1, "taste": 0.0}).fit(data, Run())
    assert answer(only, data, 0) == [2]


def test_why_tells_friends_from_people_of_a_like_taste(club):
    model = build("social").fit(club, Run())
    query = club.query(np.array([0], dtype=np.int32))
    assert [because.kind for because in model.why(query, 1)] == ["friends"]
    assert [because.kind for because in model.why(query, 3)] == ["people"]
    assert model.why(query, 3)[0].weight == pytest.approx(float(model.scores(query)[0, 3]))
    assert model.why(query, -1) == ()


@pytest.mark.parametrize("how", ["adamic_adar", "common", "jaccard"])
def test_people_suggests_friends_of_friends(how):
    # 0 and 3 have two friends in common (1, 2), 0 and 5 one (1); 4 knows everyone.
    pairs = both_ways([(0, 1), (0, 2), (3, 1), (3, 2), (5, 1), *((4, u) for u in (1, 2, 3, 5))])
    data = linked(worlds.dataset([Happening(0, 0, 1)], shape=(7, 2)), pairs)
    found = build("social", {"suggest": how}).fit(data, Run()).people(np.array([0, 6, -1], dtype=np.int32), 5)
    assert found.rows_of(0).tolist() in ([3, 4, 5], [4, 3, 5])
    assert len(found.rows_of(1)) == len(found.rows_of(2)) == 0
    if how == "adamic_adar":
        degrees = {1: 4, 2: 3}
        assert found.scores_of(0)[0] == pytest.approx(sum(1 / np.log(d) for d in degrees.values()), rel=1e-5)


def test_an_equal_taste_decides_between_suggestions():
    pairs = both_ways([(0, 1), (1, 2), (1, 3)])
    happenings = [Happening(0, 0, 1), Happening(3, 0, 1), Happening(2, 1, 1)]
    data = linked(worlds.dataset(happenings, shape=(4, 3)), pairs)
    model = build("social", {"suggest_taste": 1.0}).fit(data, Run())
    assert model.people(np.array([0], dtype=np.int32), 2).item_rows.tolist() == [3, 2]


def test_data_without_links_says_what_to_do():
    with pytest.raises(DataError, match=r"links no two of its people.*user_id, friend_id"):
        build("social").fit(worlds.shop(), Run())
    strangers = linked(worlds.shop(), [(998, 999), (1, 1)])
    with pytest.raises(DataError, match="'social' cannot be fitted"):
        build("social").fit(strangers, Run())
