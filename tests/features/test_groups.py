"""Each group of features by hand, on events that can be counted with the fingers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inkling.features.activity import HALF_LIVES_DAYS, Activity
from inkling.features.context import Context
from inkling.features.links import Friends
from inkling.features.loyalty import Loyalty
from inkling.features.own import Own
from inkling.features.people import Attributes
from inkling.features.person import Person
from inkling.features.price import Price
from inkling.features.static import Static

PURCHASE, VIEW, IMPRESSION = 0, 1, 2
ES, FR = 0, 1
NAN = float("nan")


def same(got, *wanted):
    np.testing.assert_allclose(got, np.array(wanted, dtype=np.float32), rtol=1e-5, atol=1e-6)


def test_own(toys):
    rows = [(0, 1, 0, 0, -1, -1, 1), (0, 1, 0.25, 0, -1, -1, 1), (0, 2, 4, 0, -1, -1, 2), (0, 1, 10, 0, -1, -1, 3)]
    rows += [(0, 3, 11, IMPRESSION, -1, -1, 3), (1, 4, 1, 0, -1, -1, 9)]
    got = toys.columns(Own(), toys.dataset(rows), [0, 1], [1, 2, 3, 4], at=12)
    same(got["own_count"], math.log(4), math.log(2), 0, 0, 0, 0, 0, math.log(2))
    same(got["own_sessions"], math.log(3), math.log(2), 0, 0, 0, 0, 0, math.log(2))
    same(got["own_share"], 2 / 3, 1 / 3, 0, 0, 0, 0, 0, 1)
    same(got["own_days"], 2, 8, NAN, NAN, NAN, NAN, NAN, 11)
    same(got["own_gap"], 10, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
    same(got["own_due"], 0.2, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
    same(got["own_back"], 0, 1, NAN, NAN, NAN, NAN, NAN, 0)
    same(got["own_seen"], 1, 1, 1, 0, 0, 0, 0, 1)
    recent = sum(0.5 ** (age / 30) for age in (12, 11.75, 2))
    same(got["own_recent"], recent, 0.5 ** (8 / 30), 0, 0, 0, 0, 0, 0.5 ** (11 / 30))


def test_person(toys):
    rows = [(0, 1, 0, 0, -1, -1, 1), (0, 2, 0, 0, -1, -1, 1), (0, 1, 10, 0, -1, -1, 2), (1, 1, 5, IMPRESSION)]
    got = toys.columns(Person(), toys.dataset(rows), [0, 1, -1], [0], at=12)
    same(got["person_events"], math.log(4), 0, 0)
    same(got["person_sessions"], math.log(3), 0, 0)
    same(got["person_basket"], 1.5, 0, 0)
    same(got["person_days"], 2, NAN, NAN)
    same(got["person_gap"], 10, NAN, NAN)
    same(got["person_loyalty"], 1 - 2 / 3, NAN, NAN)


def test_activity(toys):
    rows = [(0, 1, 0), (1, 1, 10), (0, 2, 10, VIEW), (0, 1, 10, IMPRESSION), (1, 1, 10, IMPRESSION)]
    got = toys.columns(Activity().fit(toys.dataset(rows)), toys.dataset(rows), [0], [1, 2, 3, 99], at=12)
    for days in HALF_LIVES_DAYS:
        same(got[f"item_count_{days:g}d"], math.log1p(0.5 ** (12 / days) + 0.5 ** (2 / days)), 0, 0, 0)
    same(got["item_age_days"], 12, 2, NAN, NAN)
    same(got["item_idle_days"], 2, 2, NAN, NAN)
    lately = 0.5 ** (2 / 30)
    same(got["item_purchase_30d"], math.log1p(0.5 ** (12 / 30) + lately), 0, 0, 0)
    same(got["item_view_30d"], 0, math.log1p(lately), 0, 0)
    usual = 1 / 2  # one view to two impressions, all of the same age
    same(got["item_view_rate"], 5 * usual / (2 * lately + 5), (lately + 5 * usual) / 5, usual, usual)


def test_activity_without_impressions_is_a_share_of_all_events(toys):
    rows = [(0, 1, 0), (0, 1, 0, VIEW), (0, 2, 0, VIEW)]
    got = toys.columns(Activity().fit(toys.dataset(rows)), toys.dataset(rows), [0], [1, 2, 3], at=0)
    same(got["item_view_rate"], (1 + 5 * 2 / 3) / (2 + 5), (1 + 5 * 2 / 3) / (1 + 5), 2 / 3)


def test_activity_counts_what_comes_later_and_items_that_are_new(toys):
    early, late = [(0, 1, 0), (0, 2, 1, VIEW)], [(1, 1, 3), (1, 9, 3, VIEW)]
    moved = Activity().fit(toys.dataset(early, n_items=10))
    moved.update(toys.interactions(late))
    at_once = Activity().fit(toys.dataset(early + late, n_items=10))
    data = toys.dataset(early + late, n_items=10)
    ours, theirs = (toys.columns(each, data, [0], [1, 2, 9], at=4) for each in (moved, at_once))
    assert ours.keys() == theirs.keys()
    for name, column in ours.items():
        np.testing.assert_allclose(column, theirs[name], rtol=1e-5, err_msg=name)


def test_loyalty(toys):
    rows = [(0, 1, 0), (0, 1, 0.1), (0, 1, 4), (1, 1, 2), (0, 2, 0), (1, 2, 1)]  # the same day is one time
    got = toys.columns(Loyalty().fit(toys.dataset(rows)), toys.dataset(rows), [0], [1, 2, 99])
    usual = 1 / 4  # one of four takers came back
    same(got["item_again"], (1 + 5 * usual) / (2 + 5), 5 * usual / (2 + 5), NAN)
    same(got["item_gap_days"], (4 + 5 * 4) / (1 + 5), 4, NAN)


def test_a_second_and_a_third_time_is_one_person_who_came_back(toys):
    rows = [(0, 1, 0), (0, 1, 2), (0, 1, 4)]
    same(toys.columns(Loyalty().fit(toys.dataset(rows)), toys.dataset(rows), [0], [1])["item_again"], 1)


def test_price(toys):
    rows = [(0, 1, 0, 0, ES, 0), (0, 2, 1, 0, ES, 1), (1, 1, 2, 0, ES, 1), (1, 3, 3, 0, ES, 2)]
    data = toys.dataset(rows)  # item 1 costs 2, then 4; item 2 costs 4; item 3 has a price that is no number
    got = toys.columns(Price().fit(data), data, [0, 2], [1, 2, 3, 99])
    same(got["item_price"], math.log(5), math.log(5), NAN, NAN, math.log(5), math.log(5), NAN, NAN)
    same(got["price_vs_person"], 0, 0, NAN, NAN, NAN, NAN, NAN, NAN)


def test_a_new_price_and_a_new_item(toys):
    data = toys.dataset([(0, 1, 0, 0, ES, 0)])
    group = Price().fit(data)
    group.update(toys.interactions([(1, 9, 1, 0, ES, 1), (1, 1, 1, 0, ES, 1)]))
    got = toys.columns(group, data, [0], [1, 9])
    same(got["item_price"], math.log(5), math.log(5))


def test_context(toys):
    rows = [(0, 1, 0, 0, FR), (0, 1, 0.5, 0, FR), (1, 2, 1, 0, ES), (1, 3, 1, 0, -1), (1, 3, 1, VIEW, FR)]
    data = toys.dataset(rows)
    group = Context().fit(data)
    assert group.names() == ("lift_country", "lift_weekday", "lift_hour")
    given = {"country": ("FR", "ES", "IT", None)}
    got = toys.columns(group, data, [0, 1, 2, 3], [1, 2, 3, 99], at=7, context=given)
    in_france = math.log((2 + 20 * 2 / 3) / 22 / (2 / 3))  # 2 of 2 here, 2 of 3 everywhere that is known
    not_france = math.log((20 / 3) / 22 / (1 / 3))
    same(got["lift_country"][:4], in_france, not_france, 0, 0)
    assert got["lift_country"][5] > 0 > got["lift_country"][4]
    assert not got["lift_country"][8:].any()
    # Day 7 is a Wednesday like day 0, at midnight; item 1 was taken on Wednesdays only, once at midnight.
    assert got["lift_weekday"][0] > 0 > got["lift_weekday"][1]
    same(got["lift_hour"][:1], math.log((1 + 20 * 2 / 4) / 23 / (2 / 4)))


def test_links(toys):
    rows = [(1, 1, 0), (1, 1, 1), (2, 2, 0), (2, 1, 0), (3, 3, 0), (1, 4, 0, VIEW)]
    data = toys.dataset(rows)
    got = toys.columns(Friends().fit(data), data, [0, 3, -1], [1, 2, 3, 4, 5])
    same(got["friends_took"][:5], math.log(5), math.log(2), 0, 0, 0)
    same(got["friends_share"][:5], 1, 0.25, 0, 0, 0)
    assert not got["friends_took"][5:].any()


def test_what_friends_take_later_counts_once(toys):
    early, late = [(1, 1, 0), (2, 2, 0)], [(1, 1, 2), (2, 1, 2), (1, 3, 2), (1, 4, 2, VIEW)]
    data = toys.dataset(early + late)
    moved, at_once = Friends().fit(toys.dataset(early)), Friends().fit(data)
    moved.update(toys.interactions(late))
    ours, theirs = (toys.columns(each, data, [0], [0, 1, 2, 3, 4]) for each in (moved, at_once))
    same(ours["friends_share"], *theirs["friends_share"])
    same(ours["friends_took"], *theirs["friends_took"])


def test_without_links_prices_or_people_there_are_no_columns(toys):
    data = toys.dataset([(0, 1, 0)], full=False)
    for group in (Friends(), Attributes(), Static()):
        assert group.fit(data).names() == ()
        assert toys.columns(group, data, [0], [1]) == {}


def test_static(toys):
    rows = [(0, 0, 0), (0, 2, 1), (0, 2, 2), (0, 3, 3), (0, 5, 4, IMPRESSION), (1, 0, 5)]
    data = toys.dataset(rows)
    got = toys.columns(Static().fit(data), data, [0], [0, 1, 2, 3, 4, 5, 99])
    same(got["item_weight_g"], NAN, 1, 2, NAN, 4, 5, NAN)
    assert "item_price" not in got  # a price of unknown date would leak
    same(got["category_affinity"], 1 / 4, 3 / 8, 2 / 4, 0, 0, 0, 0)  # four takings: one of a, two of b, one of none
    same(got["category_best"], 1 / 4, 2 / 4, 2 / 4, 0, 0, 0, 0)


def test_attributes(toys):
    rows = [(0, 1, 0), (0, 1, 1), (1, 2, 0), (2, 2, 1), (2, 2, 2)]
    data = toys.dataset(rows)  # person 0 is f, 1 is m, of 2 nothing is known
    group = Attributes().fit(data)
    assert group.names() == ("lift_person_sex",)
    got = toys.columns(group, data, [0, 1, 2, -1], [1, 2])["lift_person_sex"]
    same(got[:1], math.log((2 + 20 * 2 / 3) / 22 / (2 / 3)))
    assert got[1] < 0
    assert got[3] > 0
    assert not got[4:].any()


@pytest.mark.parametrize("kind", [Own, Person, Activity, Loyalty, Price, Static, Context, Attributes, Friends])
def test_no_events_and_an_item_beyond_the_fitted_size(toys, kind):
    data = toys.dataset([])
    group = kind().fit(data)
    columns = toys.columns(group, data, [0, -1], [0, 1000])
    assert tuple(columns) == group.names()
    assert all(column.shape == (4,) and column.dtype == np.float32 for column in columns.values())
