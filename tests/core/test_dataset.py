"""Events in rows: histories, sessions, cuts and questions, by hand and against slow twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.dataset import relabel_sessions
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.testing.worlds import DAY_MS, START_MS, Happening, dataset

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=25)


def day(n):
    return START_MS + n * DAY_MS


def world(events, **more):
    return dataset([Happening(*event) for event in events], shape=(5, 6), **more)


@given(events=EVENTS, people=st.lists(st.integers(-1, 6), max_size=5), most=st.integers(0, 3))
def test_histories_are_what_a_loop_finds(events, people, most):
    got = world(events).interactions.histories(np.array(people, dtype=np.int32), max_events=most)
    ordered = sorted(events, key=lambda event: event[2])
    for place, person in enumerate(people):
        mine = [(item, day(when)) for user, item, when in ordered if user == person]
        mine = mine[-most:] if most else mine
        span = slice(got.offsets[place], got.offsets[place + 1])
        assert list(zip(got.item_rows[span].tolist(), got.ts[span].tolist(), strict=True)) == mine


@given(events=EVENTS, cut=st.integers(-1, 10))
def test_until_keeps_what_is_not_later(events, cut):
    kept = world(events).interactions.until(day(cut))
    assert sorted(kept.ts.tolist()) == sorted(day(when) for _, _, when in events if when <= cut)


def test_positives_and_masks_take_every_column_along():
    data = dataset(
        [Happening(0, 1, 0, weight=0), Happening(0, 2, 1, weight=0.5, value=3), Happening(1, 3, 2)],
        shape=(2, 4),
        countries={0: "FR"},
    )
    liked = data.interactions.positives()
    assert liked.item_rows.tolist() == [2, 3]
    assert liked.values[0] == 3
    assert liked.context["country"].tolist() == [0, -1]
    assert data.interactions.select(np.array([2, 0])).item_rows.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("sessions", "offsets", "wanted"),
    [
        ([7, 7, 9, 9, 7], [0, 5], [0, 0, 1, 1, 2]),
        ([-1, -1, 4, 4, -1], [0, 5], [0, 1, 2, 2, 3]),
        ([5, 5, 5], [0, 2, 3], [0, 0, 0]),  # the same code of another person is another session
        ([5, 6, 6], [0, 0, 1, 1, 3], [0, 0, 0]),
        ([], [0, 0], []),
    ],
)
def test_sessions_are_numbered_within_each_person(sessions, offsets, wanted):
    got = relabel_sessions(np.array(sessions, dtype=np.int32), np.array(offsets, dtype=np.int64))
    assert got.tolist() == wanted
    assert got.dtype == np.int32


def dated():
    data = world([(0, 0, 0), (1, 1, 4), (0, 2, 8)])
    frame = pl.DataFrame(
        {
            "item_id": data.item_ids.ids(),
            "title": ["a", "b", None, "d", None, "f"],
            "created_at": [None, day(0), None, day(3), None, day(7)],
        }
    )
    return replace(data, items=Items(frame))


def test_a_cut_knows_what_was_known_at_the_moment():
    cut = dated().cut(day(4))
    assert cut.until == day(4)
    assert cut.interactions.item_rows.tolist() == [0, 1]
    assert np.flatnonzero(cut.known_items).tolist() == [0, 1, 3]  # 2 has no row and no event yet, 5 comes on day 7
    assert dated().cut(day(99)).until == day(8)
    assert np.flatnonzero(dated().cut(day(-1)).known_items).tolist() == [0]


def test_a_cut_never_knows_more_than_the_data():
    data = dated()
    less = replace(data, known_items=np.array([True, False, True, True, True, True]))
    assert np.flatnonzero(less.cut(day(4)).known_items).tolist() == [0, 3]


def test_what_is_listed_has_more_than_an_id_and_dates_count_only_where_they_are_real():
    data = dated()
    assert np.flatnonzero(data.listed(day(3))).tolist() == [0, 1, 3]
    ordered = replace(data, scenario=Scenario(time="order"))
    assert np.flatnonzero(ordered.listed(0)).tolist() == [0, 1, 3, 5]
    bare = replace(data, items=Items(data.items.frame.select("item_id")))
    assert not bare.listed(day(9)).any()


def test_a_question_knows_the_last_context_of_each_person():
    acts = [Happening(0, 0, 0), Happening(1, 1, 1), Happening(2, 2, 2)]
    data = dataset(acts, shape=(4, 3), countries={0: "FR", 1: "ES"})
    query = data.query(np.array([1, 0, 2, 3, -1], dtype=np.int32), now=77)
    assert query.context == {"country": ("ES", "FR", None, None, None)}
    assert query.now.tolist() == [77] * 5
    assert np.diff(query.history.offsets).tolist() == [1, 1, 1, 0, 0]
    assert data.query(np.array([0], dtype=np.int32)).now.tolist() == [data.until]


def test_the_last_context_is_the_newest_one():
    data = dataset([Happening(0, 0, 0), Happening(0, 1, 1), Happening(0, 2, 2)], shape=(1, 3), countries={0: "FR"})
    codes = np.array([0, 1, -1], dtype=np.int32)
    moved = replace(data.interactions, context={"country": codes}, context_values={"country": ("FR", "ES")})
    query = replace(data, interactions=moved).query(np.array([0], dtype=np.int32))
    assert query.context == {"country": ("ES",)}
