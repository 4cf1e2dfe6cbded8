"""Questions and histories: what belongs to a person stays with the person."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.jagged import Jagged
from inkling.core.query import History, Query, joined

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=5)


def history_of(lists):
    return History.of_items(Jagged.from_lists(lists))


def items_of(history):
    return [history.item_rows[a:b].tolist() for a, b in zip(history.offsets, history.offsets[1:], strict=False)]


def test_a_history_of_items_counts_its_sessions_within_each_person():
    history = history_of([[5, 6], [], [7]])
    assert len(history) == 3
    assert history.session_rows.tolist() == [0, 1, 0]
    assert history.weights.tolist() == [1, 1, 1]
    assert history.ts.tolist() == [0, 0, 0]
    assert np.isnan(history.values).all()
    assert len(History.empty(4)) == 4
    assert len(History.empty(4).item_rows) == 0


@given(lists=LISTS, data=st.data())
def test_take_picks_people_in_the_order_asked(lists, data):
    people = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=6))
    taken = history_of(lists).take(people)
    assert items_of(taken) == [lists[person] for person in people]
    assert taken.session_rows.tolist() == [n for person in people for n in range(len(lists[person]))]


def test_take_of_a_question_takes_every_part_along():
    query = Query(
        history=history_of([[1], [2, 3], []]),
        now=np.array([10, 20, 30]),
        n_items=9,
        user_rows=np.array([4, 5, -1], dtype=np.int32),
        texts=("a", None, "c"),
        text_vectors={"hash": np.eye(3, dtype=np.float32)},
        context={"country": ("FR", None, "ES")},
        allowed=np.ones(9, dtype=np.bool_),
        candidates=Jagged.from_lists([[1], [2], [3, 4]]),
        exclude=Jagged.from_lists([[], [8], [7]]),
    )
    taken = query.take([2, 0])
    assert len(taken) == 2
    assert items_of(taken.history) == [[], [1]]
    assert taken.now.tolist() == [30, 10]
    assert taken.user_rows.tolist() == [-1, 4]
    assert taken.texts == ("c", "a")
    assert taken.text_vectors["hash"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert taken.context == {"country": ("ES", "FR")}
    assert taken.candidates[0].tolist() == [3, 4]
    assert taken.exclude[0].tolist() == [7]
    assert taken.exclude[1].tolist() == []
    assert taken.n_items == 9
    assert taken.allowed is query.allowed


def test_take_of_a_bare_question_leaves_out_what_was_not_said():
    query = Query(History.empty(2), np.zeros(2, dtype=np.int64), 3, np.array([-1, -1], dtype=np.int32))
    taken = query.take([1])
    assert taken.texts == ()
    assert taken.candidates is None
    assert taken.exclude is None


def test_questions_join_person_after_person():
    one = Query(history_of([[1, 2], []]), np.array([5, 6]), 9, np.array([0, -1], dtype=np.int32))
    other = Query(history_of([[3]]), np.array([7]), 12, np.array([4], dtype=np.int32), context={"place": ("home",)})
    both = joined([one, other])
    assert items_of(both.history) == [[1, 2], [], [3]]
    assert both.now.tolist() == [5, 6, 7]
    assert both.user_rows.tolist() == [0, -1, 4]
    assert both.n_items == 12
    assert both.context == {"place": (None, None, "home")}
    assert joined([one]) is one
