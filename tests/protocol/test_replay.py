"""Replay, by hand: each event is first a question, then known."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import ProtocolError
from inkling.protocol.measure import measure
from inkling.protocol.replay import replay
from inkling.testing.logs import catalogue, folds_of, histories, people, scenario, targets

ROWS = [
    ("a", "x", 1),
    ("b", "y", 2),
    ("a", "y", 4),
    ("a", "z", 5),
    ("b", "z", 6, "view"),
    ("b", "z", 6),
    ("c", "z", 7),
]


def rank(order):
    """Answers the allowed items in a fixed order of rows."""

    def recommend(query, k):
        lists = []
        for person in range(len(query)):
            banned = set(query.exclude[person].tolist()) if query.exclude is not None else set()
            lists.append([row for row in order if query.allowed[row] and row not in banned][:k])
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)
        rows = np.array([row for part in lists for row in part], dtype=np.int32)
        return Candidates.of(offsets, rows, -np.arange(len(rows), dtype=np.float32), source="toy")

    return recommend


def replayed(**more):
    (fold,) = folds_of(ROWS, split="replay", cuts=(0.2,), **more)
    return fold


def test_each_positive_event_after_the_cut_is_a_question_in_order():
    fold = replayed()
    assert fold.cut == 2
    assert fold.now.tolist() == [4, 5, 6, 7]
    assert targets(fold) == {"a": ["y", "z"], "b": ["z"], "c": ["z"]}


def test_the_history_is_everything_before_the_event_and_nothing_of_it():
    fold = replayed()
    assert histories(fold) == ["x", "xy", "yz", ""]
    assert fold.n_history().tolist() == [1, 2, 2, 0]
    assert people(fold, "new_users") == "c"


def test_items_are_candidates_once_they_exist():
    fold = replayed()
    ids = fold.train.item_ids
    seen = [[ids.id_of(row) for row in np.flatnonzero(fold.query(np.array([n])).allowed)] for n in range(4)]
    assert seen == [["x", "y"], ["x", "y"], ["x", "y", "z"], ["x", "y", "z"]]
    assert fold.n_unreachable == 1
    assert people(fold, "new_items") == "abc"


def test_a_catalogue_row_exists_from_its_date():
    fold = folds_of(ROWS, catalogue("xyz", created_at=[None, None, 5]), split="replay", cuts=(0.2,))[0]
    assert fold.n_unreachable == 0
    late = folds_of(ROWS, catalogue("xyz", created_at=[None, None, 6]), split="replay", cuts=(0.2,))[0]
    assert late.n_unreachable == 1


def test_batches_break_where_an_item_appears():
    assert list(replayed().batches(100)) == [(0, 2), (2, 4)]
    assert list(replayed().batches(1)) == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_drop_leaves_out_what_the_person_had_at_that_moment():
    fold = folds_of([*ROWS, ("a", "x", 8)], split="replay", cuts=(0.2,), seen="drop")[0]
    assert targets(fold) == {"a": ["y", "z"], "c": ["z"]}
    assert fold.n_left_out == 2  # b viewed z just before, a had x


def test_observing_comes_after_answering_and_equals_the_log():
    fold = replayed()
    shown = []

    def observe(events):
        shown.append(events.ts.tolist())

    result = replay(fold, rank([2, 1, 0]), observe, ("ndcg@2", "hit@1"))
    # Before the question at 4 nothing was new; z is not there yet at 5; b's view comes before b's purchase.
    assert shown == [[4], [5, 6], [6]]
    assert result.groups["warm"].values["hit@1"].tolist() == [1.0, 0.0, 1.0]
    assert result.groups["new_users"].values["hit@1"].tolist() == [1.0]


def test_frozen_and_learning_answers_agree_for_a_model_that_ignores_news():
    fold = replayed()
    frozen = measure(fold, rank([2, 1, 0]), ("hit@1",), batch=3)
    learning = replay(fold, rank([2, 1, 0]), lambda events: None, ("hit@1",))
    assert frozen.recommended.tolist() == learning.recommended.tolist()


def test_a_cancellation_after_the_cut_is_shown_and_undoes_no_question():
    rows = [("a", "x", 1), ("b", "y", 2), ("a", "y", 4), ("a", "y", 5, "cancel"), ("a", "x", 6)]
    fold = folds_of(rows, split="replay", cuts=(0.3,))[0]
    assert targets(fold) == {"a": ["y", "x"]}
    assert histories(fold) == ["x", "xyy"]


def test_replay_needs_times_and_two_sides():
    with pytest.raises(ProtocolError, match="real times"):
        folds_of(ROWS, split="replay", own=scenario(time="order"))
    with pytest.raises(ProtocolError, match="both sides"):
        folds_of(ROWS[:1], split="replay")


def test_settings_are_chosen_inside_the_training_part():
    fold = folds_of(ROWS, split="replay", cuts=(0.6,))[0]
    assert fold.validation is not None
    assert fold.validation.cut < fold.cut
