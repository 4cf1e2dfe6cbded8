import numpy as np
import pytest

from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


class TestUserKnnContract(RetrieverContract):
    name = "userknn"


class TestUserKnnBm25Contract(RetrieverContract):
    name = "userknn"
    settings = {"weighting": "bm25", "people": 7, "power": 2.0, "signal": "log", "half_life_days": 20, "shrink": 1.0}


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_the_withheld_diagonal_comes_first(weighting):
    world = worlds.checkerboard()
    model = build("userknn", {"weighting": weighting}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def asked(rows, n_items=4):
    return Query(History.of_items(Jagged.from_lists([rows])), np.zeros(1, np.int64), n_items, np.full(1, -1, np.int32))


LISTS = {0: [0, 1], 1: [0, 2, 3], 2: [1]}


def votes(rows, lists=LISTS, **settings):
    happenings = [Happening(user, item, user) for user, items in lists.items() for item in items]
    data = worlds.dataset(happenings, shape=(len(lists), 4))
    return build("userknn", {"weighting": "cosine", **settings}).fit(data, Run()).scores(asked(rows))[0]


def test_cosine_by_hand():
    second = np.sqrt(2) / np.sqrt(3)  # of the nearest's likeness, which counts 1
    assert np.allclose(votes([0]), [1 + second, 1, second, second])


def test_only_the_nearest_vote():
    assert np.flatnonzero(votes([0], people=1)).tolist() == [0, 1]


def test_power_listens_to_the_nearest():
    plain, sharp = votes([0]), votes([0], power=3.0)
    assert sharp[2] / sharp[1] == pytest.approx((plain[2] / plain[1]) ** 3, rel=1e-5)


def test_sharing_a_rare_item_counts_more():
    lists = {0: [0, 1], 1: [2, 3], 2: [0], 3: [0], 4: [0]}
    for weighting in ("tfidf", "bm25"):
        found = votes([0, 2], lists, weighting=weighting)
        assert found[3] > found[1]
    found = votes([0, 2], lists)
    assert found[3] == pytest.approx(found[1])


def test_short_lists_are_never_very_near():
    assert votes([0])[2] == pytest.approx(np.sqrt(2) / np.sqrt(3), rel=1e-5)
    assert votes([0], shrink=2.0)[2] == pytest.approx((np.sqrt(2) + 2) / (np.sqrt(3) + 2), rel=1e-5)


def test_long_lists_are_held_down_by_bm25():
    held, free = votes([0], weighting="bm25", b=1.0), votes([0], weighting="bm25", b=0.0)
    assert held[2] / held[1] < free[2] / free[1]


def test_robots_and_those_not_seen_for_long_are_left_out():
    assert np.flatnonzero(votes([0], max_person_items=2)).tolist() == [0, 1]
    assert np.flatnonzero(votes([0], max_people=2)).tolist() == [0, 2, 3]


def test_why_adds_up_to_the_score():
    data = worlds.shop()
    model = build("userknn", {"power": 2.0}).fit(data, Run())
    query = data.query(np.array([1], dtype=np.int32))
    best = int(model.retrieve(query, 1).item_rows[0])
    total = sum(because.weight for because in model.why(query, best))
    assert total == pytest.approx(float(model.scores(query)[0, best]), rel=1e-4)
