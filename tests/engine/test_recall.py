"""Several retrievers side by side: who may be answered, and what each member says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError, DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.engine.recall import MemberConfig, Recall, labels_of
from inkling.testing.worlds import checkerboard, shop


class Says:
    """A member that scores items by a fixed table, whoever asks."""

    name = "says"

    def __init__(self, *rows):
        self.table = np.array(rows, dtype=np.float32)

    def scores(self, query):
        return self.table[np.maximum(query.user_rows, 0) % len(self.table)]


class Lists:
    """A member that can only retrieve."""

    name = "lists"

    def retrieve(self, query, k):
        rows, scores = np.array([3, 0], dtype=np.int32), np.array([4.0, 1.0], dtype=np.float32)
        n = len(query)
        return Candidates.of(np.arange(n + 1) * 2, np.tile(rows, n), np.tile(scores, n), source="lists")


def ask(n=1, n_items=5, **more):
    rows = np.arange(n, dtype=np.int32)
    return Query(History.empty(n), np.zeros(n, dtype=np.int64), n_items, rows, **more)


def lists(found):
    return [found.rows_of(person).tolist() for person in range(len(found))]


def test_an_opinion_is_a_share_of_the_favourites_score():
    recall = Recall({"a": Says([8, 4, 2, 0, 1]), "b": Lists()}, {"a": 2, "b": 2})
    found = recall.candidates(ask(), {"a": 1.0, "b": 0.25}, limit=9)
    assert lists(found) == [[0, 1, 3]]  # the best two of each; 3 is b's favourite, 0 both know
    assert found.fields["says_a"].tolist() == [1, 0.5, 0]
    assert found.fields["says_b"].tolist() == [0.25, 0, 1]
    assert found.scores.tolist() == [1.0625, 0.5, 0.25]
    assert [found.source_of(place) for place in range(3)] == ["a", "a", "b"]
    assert recall.columns() == ("says_a", "says_b")


def test_the_limit_keeps_what_the_members_together_like_best():
    recall = Recall({"a": Says([8, 4, 2, 0, 1]), "b": Says([0, 1, 8, 1, 0])}, {"a": 5, "b": 5})
    assert sorted(lists(recall.candidates(ask(), {"a": 1.0}, limit=2))[0]) == [0, 2]


def test_what_may_be_answered_is_settled_before_the_best_are_taken():
    recall = Recall({"a": Says([9, 8, 7, 6, 5], [5, 6, 7, 8, 9])}, {"a": 2})
    weights = {"a": 1.0}
    allowed = np.array([False, True, True, True, False])
    assert lists(recall.candidates(ask(2, allowed=allowed), weights, limit=9)) == [[1, 2], [3, 2]]
    exclude = Jagged.from_lists([[1], []])
    assert lists(recall.candidates(ask(2, allowed=allowed, exclude=exclude), weights, limit=9)) == [[2, 3], [3, 2]]
    candidates = Jagged.from_lists([[4, 1, 3], [0, 2]])
    assert lists(recall.candidates(ask(2, candidates=candidates), weights, limit=9)) == [[1, 3, 4], [2, 0]]
    both = ask(2, allowed=allowed, candidates=candidates, exclude=exclude)
    assert lists(recall.candidates(both, weights, limit=9)) == [[3], [2]]
    assert recall.candidates(both, weights, limit=9).fields["says_a"].tolist() == [0.75, 0.875]
    nothing = ask(1, allowed=np.zeros(5, dtype=np.bool_))
    assert lists(recall.candidates(nothing, weights, limit=9)) == [[]]


def test_an_equal_sum_is_settled_by_all_opinions():
    """A member without weight for the order still says what is better among equals, as for somebody unknown."""
    recall = Recall({"own": Says([0, 0, 0, 0, 0]), "popular": Says([1, 3, 9, 2, 4])}, {"own": 5, "popular": 5})
    assert lists(recall.candidates(ask(), {"own": 1.0, "popular": 0.0}, limit=9)) == [[2, 4, 1, 3, 0]]


@given(data=st.data(), n=st.integers(1, 4), k=st.integers(1, 6))
def test_the_union_is_what_a_loop_finds_and_batch_equals_single(data, n, k):
    n_items = 6
    tables = [
        data.draw(st.lists(st.lists(st.integers(0, 9), min_size=n_items, max_size=n_items), min_size=n, max_size=n))
        for _ in range(2)
    ]
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    recall = Recall({str(at): Says(*table) for at, table in enumerate(tables)}, {"0": k, "1": 2})
    query, weights = ask(n, n_items, allowed=allowed), {"0": 1.0, "1": 0.5}
    found = recall.candidates(query, weights, limit=99)
    for person in range(n):
        wanted = set()
        for table, depth in zip(tables, (k, 2), strict=True):
            own = sorted((table[person][item] for item in range(n_items) if allowed[item]), reverse=True)
            least = own[min(depth, len(own)) - 1] if own else 0
            wanted |= {i for i in range(n_items) if allowed[i] and table[person][i] >= max(least, 1)}
        assert set(found.rows_of(person).tolist()) == wanted
        assert (np.diff(found.scores_of(person)) <= 0).all()
        alone = recall.candidates(query.take([person]), weights, limit=99)
        assert lists(alone) == [found.rows_of(person).tolist()]


def test_members_that_share_neighbour_lists_say_what_they_say_alone():
    data = shop()
    configs = {
        "knn": MemberConfig(retriever="itemknn", settings={"neighbours": 10}),
        "markov": MemberConfig(retriever="markov"),
        "popular": MemberConfig(retriever="popular"),
    }
    recall = Recall.of(configs)
    recall.fit(data, Run())
    query = replace(data.query(np.arange(8, dtype=np.int32)), candidates=Jagged.from_lists([range(30)] * 8))
    found = recall.candidates(query, dict.fromkeys(configs, 1.0), limit=99)
    for name, member in recall.members.items():
        scores = member.scores(query)
        best = scores.max(axis=1, keepdims=True)
        alone = scores / np.where(best > 0, best, 1)
        got = np.zeros((8, data.n_items), dtype=np.float32)
        got[found.segment_rows, found.item_rows] = found.fields[f"says_{name}"]
        np.testing.assert_allclose(got, alone, rtol=1e-4, atol=1e-6, err_msg=name)


def test_an_update_is_heard_at_once():
    data = shop()
    recall = Recall.of({"popular": MemberConfig(retriever="popular")})
    recall.fit(data, Run())
    query = data.query(np.array([0], dtype=np.int32))
    before = recall.candidates(query, {"popular": 1.0}, limit=1).item_rows.tolist()
    last = data.n_items - 1
    late = data.interactions.select(np.zeros(3000, dtype=np.int64))
    users = np.arange(3000, dtype=np.int32)
    recall.update(
        replace(
            late,
            item_rows=np.full(3000, last, dtype=np.int32),
            user_rows=users,
            ts=np.full(3000, data.until),
            positive=np.ones(3000, dtype=np.bool_),
            weights=np.ones(3000, dtype=np.float32),
        )
    )
    assert before != [last]
    assert recall.candidates(query, {"popular": 1.0}, limit=1).item_rows.tolist() == [last]


def test_a_member_that_cannot_learn_is_left_out_with_its_reason():
    world = checkerboard(6)
    recall = Recall.of(
        {
            "near": MemberConfig(retriever="semantic", settings={"encoder": "hashing"}),
            "popular": MemberConfig(retriever="popular"),
        }
    )
    recall.members["near"].fit = lambda data, run: (_ for _ in ()).throw(DataError("No texts."))
    seconds = recall.fit(world.data, Run())
    assert recall.left_out == {"near": "No texts."}
    assert set(recall.members) == {"popular"}
    assert set(seconds) == {"near", "popular"}


def test_a_members_unknown_setting_is_named_with_its_path():
    with pytest.raises(ConfigError, match=r"members\.a\.settings: unknown key 'half_live'.*half_life_days"):
        Recall.of({"a": MemberConfig(retriever="popular", settings={"half_live": 3})})


def test_labels_by_hand():
    offsets = np.array([0, 3, 3, 5])
    items = Candidates.of(offsets, np.array([4, 1, 0, 4, 2], dtype=np.int32), np.zeros(5, dtype=np.float32), source="")
    targets = Jagged.from_lists([[1, 3], [4], [2, 4]])
    assert labels_of(items, (targets.offsets, targets.values), 5).tolist() == [0, 1, 0, 1, 1]
    none = Jagged.from_lists([[], [], []])
    assert labels_of(items, (none.offsets, none.values), 5).tolist() == [0] * 5
