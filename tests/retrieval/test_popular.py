from dataclasses import replace

import numpy as np
import pytest

from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import DAY_MS, START_MS, Happening


class TestPopularContract(RetrieverContract):
    name = "popular"


class TestPopularWindowByCountryContract(RetrieverContract):
    name = "popular"
    settings = {"half_life_days": 0, "window_days": 9, "by": "country"}


class TestPopularEventsContract(RetrieverContract):
    name = "popular"
    settings = {"half_life_days": 3, "window_days": 20, "count": "events", "by": "country"}


def first(world, settings, now_day=None):
    query = world.query
    if now_day is not None:
        query = replace(query, now=np.full(len(query), START_MS + round(now_day * DAY_MS)))
    return build("popular", settings).fit(world.data, Run()).retrieve(query, 1).item_rows.tolist()


@pytest.mark.parametrize("settings", [{"half_life_days": 7}, {"half_life_days": 0, "window_days": 7}])
def test_what_is_new_beats_what_was(settings):
    assert first(worlds.trend(), settings) == [1]


def test_without_age_all_time_wins():
    assert first(worlds.trend(), {"half_life_days": 0}) == [0]


def test_a_window_ends_now():
    settings = {"half_life_days": 0, "window_days": 7}
    assert first(worlds.trend(), settings, now_day=19.5) == [0]
    # Long after, the window is empty and the tail of all-time counts orders the list.
    assert first(worlds.trend(), settings, now_day=500) == [0]


def test_people_asking_at_different_times_in_one_batch():
    world = worlds.trend()
    model = build("popular", {"half_life_days": 0, "window_days": 7}).fit(world.data, Run())
    days = np.array([19.5, 101.0, 19.5])
    query = replace(world.data.query(np.zeros(3, dtype=np.int32)), now=(START_MS + days * DAY_MS).astype(np.int64))
    assert model.retrieve(query, 1).item_rows.tolist() == [0, 1, 0]


def test_each_country_has_its_own():
    world = worlds.countries()
    assert first(world, {"by": "country"}) == world.first.tolist()
    assert first(world, {}) == [0, 0]


def test_an_unknown_value_is_everyone():
    world = worlds.countries()
    lost = replace(world.query, context={"country": ("Atlantis", None)})
    assert first(replace(world, query=lost), {"by": "country"}) == [0, 0]


def test_back_off_is_how_much_all_others_say():
    world = worlds.countries()
    strong = build("popular", {"by": "country", "back_off": 1e9}).fit(world.data, Run()).scores(world.query)
    everyone = build("popular", {}).fit(world.data, Run()).scores(world.query)
    assert np.allclose(strong, everyone, atol=1e-5)


def test_one_eager_person_is_one():
    happenings = [Happening(0, 0, day) for day in range(9)] + [Happening(user, 1, 5) for user in (1, 2)]
    data = worlds.dataset(happenings, shape=(3, 2))
    world = worlds.World(data, data.query(np.array([2], dtype=np.int32)), np.array([1], dtype=np.int32))
    assert first(world, {"half_life_days": 0, "count": "people"}) == [1]
    assert first(world, {"half_life_days": 0, "count": "events"}) == [0]


def test_tail_orders_what_the_window_does_not_hold():
    settings = {"half_life_days": 0, "window_days": 7}
    world = worlds.trend()
    with_tail = build("popular", settings).fit(world.data, Run()).scores(world.query)[0]
    without = build("popular", {**settings, "tail": 0}).fit(world.data, Run()).scores(world.query)[0]
    assert with_tail[0] > with_tail[2] == 0
    assert without[0] == without[2] == 0


def test_an_update_counts_at_once_and_late_events_find_their_place():
    world = worlds.trend()
    model = build("popular", {"half_life_days": 0, "window_days": 7}).fit(world.data, Run())
    many = worlds.dataset([Happening(user, 2, 100.95) for user in range(50)], shape=(50, 3)).interactions
    late = worlds.dataset([Happening(user, 0, 50) for user in range(50)], shape=(50, 3)).interactions
    model.retrieve(world.query, 1)
    model.update(many)
    asked = replace(world.query, now=world.query.now + DAY_MS)
    assert model.retrieve(asked, 1).item_rows.tolist() == [2]
    model.update(late)
    assert model.retrieve(asked, 1).item_rows.tolist() == [2]
    then = replace(world.query, now=np.array([START_MS + 51 * DAY_MS]))
    assert model.retrieve(then, 1).item_rows.tolist() == [0]


def test_a_new_item_and_years_later():
    world = worlds.trend()
    model = build("popular", {"half_life_days": 0.5}).fit(world.data, Run())
    later = worlds.dataset([Happening(0, 4, 100 + 365 * 3)], shape=(50, 5)).interactions
    model.update(later)
    query = replace(world.query, n_items=5, allowed=None, now=later.ts)
    scores = model.scores(query)[0]
    assert np.isfinite(scores).all()
    assert scores.argmax() == 4


def test_an_order_without_times_still_ages():
    happenings = [Happening(user, 0, user / DAY_MS) for user in range(60)]
    happenings += [Happening(user, 1, (900 + user) / DAY_MS) for user in range(20)]
    for time, best in (("order", 1), ("none", 0)):
        data = worlds.dataset(happenings, shape=(60, 2), scenario=Scenario(seen="keep", time=time))
        model = build("popular", {"half_life_days": 5}).fit(data, Run())
        assert model.retrieve(data.query(np.zeros(1, dtype=np.int32)), 1).item_rows.tolist() == [best]


def test_why_is_the_share():
    world = worlds.trend()
    model = build("popular", {"half_life_days": 7, "tail": 0}).fit(world.data, Run())
    (because,) = model.why(world.query, 1)
    assert because.kind == "popular"
    assert because.weight == pytest.approx(1.0, abs=0.01)
    assert model.why(world.query, 2) == ()
