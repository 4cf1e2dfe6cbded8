from dataclasses import replace

import numpy as np
import pytest

from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import DAY_MS, START_MS, Happening


class TestRepeatContract(RetrieverContract):
    name = "repeat"


class TestRepeatDueContract(RetrieverContract):
    name = "repeat"
    settings = {"due": 1.0, "half_life_days": 30, "repeats": "event", "popularity": 0.1}
    update_equals_refit = False  # usual gaps are learned by a fit


def test_everyone_gets_their_own_first_and_then_what_is_popular():
    world = worlds.loyal()
    answer = build("repeat").fit(world.data, Run()).retrieve(world.query, 11)
    assert [answer.rows_of(person)[0] for person in range(10)] == world.first.tolist()
    assert all(len(answer.rows_of(person)) == 11 for person in range(10))


def one_person(happenings, now_day, **settings):
    data = worlds.dataset(happenings, shape=(1, 4))
    query = data.query(np.array([0], dtype=np.int32), now=START_MS + round(now_day * DAY_MS))
    model = build("repeat", {"popularity": 0, **settings}).fit(data, Run())
    return model.scores(query)[0].round(4).tolist()


def test_how_often_an_item_counts():
    happenings = [Happening(0, 0, 0, session=0), Happening(0, 0, 0, session=0), Happening(0, 0, 1, session=1)]
    flat = {"now_day": 1, "half_life_days": 0}
    assert one_person(happenings, **flat, repeats="event")[0] == 3
    assert one_person(happenings, **flat, repeats="session")[0] == 2
    assert one_person(happenings, **flat, repeats="once")[0] == 1


def test_half_life_and_the_latest_events_only():
    happenings = [Happening(0, 0, 0, session=0), Happening(0, 1, 10, session=1)]
    assert one_person(happenings, now_day=10, half_life_days=10)[:2] == [0.5, 1]
    assert one_person(happenings, now_day=10, half_life_days=0, max_events=1)[:2] == [0, 1]


def test_weights_are_strengths_and_events_without_weight_are_none():
    happenings = [Happening(0, 0, 0, session=0, weight=0.25), Happening(0, 1, 0, session=0, weight=0)]
    assert one_person(happenings, now_day=0, half_life_days=0)[:2] == [0.25, 0]


def test_what_is_due_comes_first():
    weekly = [Happening(0, 0, 7 * week, session=week) for week in range(4)]
    monthly = [Happening(0, 1, 10 * month, session=10 + month) for month in range(3)]
    happenings = [*weekly, *monthly]
    settings = {"half_life_days": 0, "prior_gaps": 0, "due": 4.0}
    soon = one_person(happenings, now_day=28, **settings)
    later = one_person(happenings, now_day=31, **settings)
    assert soon[0] == 4
    assert later[1] / soon[1] > 1 > later[0] / soon[0]
    assert one_person(happenings, now_day=28, half_life_days=0)[:2] == [4, 3]


def test_prior_gaps_draw_to_the_usual_gap_of_the_item():
    happenings = [Happening(user, 0, day) for user in range(1, 5) for day in (0, 10, 20)] + [Happening(0, 0, 20)]
    data = worlds.dataset(happenings, shape=(5, 2))
    model = build("repeat", {"popularity": 0, "half_life_days": 0, "due": 2.0, "prior_gaps": 1}).fit(data, Run())
    days = START_MS + np.array([21, 30, 90]) * DAY_MS
    early, due, late = model.scores(replace(data.query(np.zeros(3, dtype=np.int32)), now=days))[:, 0]
    assert due == pytest.approx(1)
    assert early < due > late


def test_popularity_is_worth_what_the_setting_says():
    world = worlds.loyal()
    model = build("repeat", {"popularity": 100.0, "popular": {"half_life_days": 0}}).fit(world.data, Run())
    answer = model.retrieve(world.query, 1)
    assert answer.item_rows.tolist() == [10] * 10
    assert model.own(world.query)[:, 10].max() <= 1


def test_why_tells_own_counts_from_popularity():
    world = worlds.loyal()
    model = build("repeat").fit(world.data, Run())
    own, popular = model.why(world.query, 0)
    assert (own.kind, own.item_row, popular.kind) == ("repeat", 0, "popular")
    assert own.weight > popular.weight
    assert {because.kind for because in model.why(world.query, 10)} == {"repeat", "popular"}
