"""Why an item stands where it stands: parts of the score, and grounds that are true of the person."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.engine.grounds import explanations
from inkling.retrieval.base import Because


class Knows:
    """A member with grounds for what it says."""

    name = "knows"

    def __init__(self, *grounds):
        self.grounds = grounds

    def why(self, query, item_row):
        return self.grounds


class Dumb:
    """A member that cannot explain."""

    name = "dumb"


class Splits:
    """A ranker whose score is the sum of given parts."""

    def __init__(self, **parts):
        self.parts = parts

    def contributions(self, items):
        return {name: np.full(len(items.item_rows), value, dtype=np.float32) for name, value in self.parts.items()}


def explain(members, weights=None, ranker=None, *, item=3, history=(1, 2), says=None):
    query = Query(
        History.of_items(Jagged.from_lists([history])), np.zeros(1, dtype=np.int64), 9, np.zeros(1, dtype=np.int32)
    )
    items = Candidates.of(np.array([0, 1]), np.array([item], dtype=np.int32), np.ones(1, dtype=np.float32), source="x")
    fields = {
        f"says_{name}": np.array([value], dtype=np.float32)
        for name, value in (says or dict.fromkeys(members, 1.0)).items()
    }
    fields |= {"rank_a": np.ones(1), "_place": np.zeros(1), "item_age_days": np.array([4.0])}
    (found,) = explanations(members, weights or {}, ranker, query, items.with_fields(fields))
    return found


A, B = Because("because_item", 1, 2.0), Because("follows", 2, 1.0)


def test_a_fusion_is_split_by_weight_times_opinion():
    found = explain(
        {"a": Knows(A), "b": Knows(B), "c": Dumb()}, {"a": 1.0, "b": 3.0}, says={"a": 1.0, "b": 0.5, "c": 1.0}
    )
    assert found.contributions == {"b": 0.6, "a": 0.4}
    assert found.kind == "follows"
    assert found.because == (A, B)
    assert found.features == {"says_a": 1.0, "says_b": 0.5, "says_c": 1.0, "item_age_days": 4.0}


def test_a_rankers_parts_are_gathered_by_signal_and_keep_their_sign():
    ranker = Splits(says_a=1.0, rank_a=0.5, own_count=0.25, lift_country=-0.25, item_count_7d=0.5, says_gone=0.0)
    found = explain({"a": Knows(A)}, ranker=ranker)
    assert found.contributions == pytest.approx({"a": 0.6, "popular": 0.2, "repeat": 0.1, "popular_context": -0.1})
    assert found.kind == "because_item"


def test_members_that_speak_against_an_item_are_no_ground():
    found = explain({"a": Knows(A), "b": Knows(B)}, ranker=Splits(says_a=-2.0, says_b=1.0))
    assert found.because == (B,)
    assert found.kind == "follows"


@pytest.mark.parametrize(("history", "kind"), [((1, 3), "repeat"), ((1, 2), "popular")])
def test_a_repeat_is_claimed_only_where_it_was_had(history, kind):
    ranker = Splits(own_count=2.0, item_count_7d=1.0)
    assert explain({"a": Dumb()}, ranker=ranker, history=history).kind == kind
    own = Knows(Because("repeat", 3, 1.0))
    assert explain({"a": own}, {"a": 1.0}, history=history).kind == kind


def test_a_thing_does_not_go_with_itself():
    found = explain({"a": Knows(Because("because_item", 3, 9.0), A)}, {"a": 1.0}, history=(1, 3))
    assert found.because == (A,)


def test_the_same_ground_is_told_once_the_strongest_first_and_no_more_than_five():
    many = [Because("because_item", row, float(row)) for row in range(1, 9)] + [Because("because_item", 8, 1.0)]
    found = explain({"a": Knows(*many, Because("because_item", 4, -1.0))}, {"a": 1.0})
    assert [ground.item_row for ground in found.because] == [8, 7, 6, 5, 4]


def test_nobodys_ground_is_popularity():
    assert explain({"a": Dumb()}, {"a": 1.0}, history=()).kind == "popular"
    assert explain({"a": Dumb()}, {"a": 0.0}, history=()).contributions == {}
