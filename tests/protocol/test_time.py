"""The time split, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ProtocolError
from inkling.testing.logs import candidates, catalogue, events, folds_of, histories, people, scenario, targets, trained

# Ten positive events: floor(.7 x 10) = 7 is the eighth one, at time 8, which the seventh shares.
SIX = [
    ("a", "x", 1),
    ("b", "x", 2),
    ("c", "y", 3),
    ("a", "y", 4),
    ("d", "z", 5),
    ("e", "x", 6),
    ("b", "z", 8),
    ("c", "x", 8),
    ("a", "z", 9),
    ("f", "w", 10),
]


def test_cut_is_the_value_at_floor_and_ties_with_it_are_training():
    (fold,) = folds_of(SIX, cuts=(0.7,))
    assert fold.cut == 8
    assert trained(fold) == ["ax", "bx", "cy", "ay", "dz", "ex", "bz", "cx"]
    assert targets(fold) == {"a": ["z"], "f": ["w"]}
    assert fold.train.until == 8
    assert fold.by_time


def test_the_share_is_exact_and_not_a_float():
    rows = [("a", "x", time) for time in range(1, 101)]
    (fold,) = folds_of(rows, cuts=(0.29,), own=scenario(duplicates=False))
    assert fold.cut == 30  # int(.29 * 100) would be 28, and the cut 29


def test_ties_keep_the_files_order_in_histories():
    rows = [("a", "q", 5), ("a", "p", 5), ("a", "r", 1), ("b", "p", 5), ("a", "p", 9), ("b", "q", 9)]
    (fold,) = folds_of(rows, cuts=(0.5,))
    assert histories(fold)[0] == "rqp"


def test_groups_and_unreachable_targets():
    (fold,) = folds_of(SIX, cuts=(0.7,))
    assert people(fold, "warm") == "a"
    assert people(fold, "new_users") == "f"
    assert people(fold, "new_items") == "f"
    assert people(fold, "warm:1-4") == "a"
    assert candidates(fold) == "xyz"
    assert fold.n_unreachable == 1


def test_catalogue_rows_are_candidates_from_the_day_they_exist():
    tables = catalogue("wxyzv", created_at=[8, None, None, None, 9])
    (fold,) = folds_of(SIX, tables, cuts=(0.7,))
    assert candidates(fold) == "wxyz"
    assert fold.n_unreachable == 0
    assert people(fold, "new_items") == "f"
    known = fold.train.items.frame
    assert known.filter(known["item_id"] == "v")["created_at"].to_list() == [None]


def test_history_lengths():
    rows = [("a", f"i{n}", n) for n in range(20)] + [("b", "x", 3)] + [("c", f"j{n}", n) for n in range(5)]
    rows = [*sorted(rows, key=lambda row: row[2]), ("a", "x", 50), ("b", "x", 51), ("c", "x", 52)]
    (fold,) = folds_of(rows, cuts=(0.88,), own=scenario(duplicates=False))
    assert [people(fold, name) for name in ("warm:1-4", "warm:5-19", "warm:20+")] == ["b", "c", "a"]


def test_drop_takes_the_history_from_candidates_and_targets_and_counts_who_is_left():
    rows = [("a", "x", 1), ("b", "y", 2), ("b", "x", 3), ("a", "y", 4), ("a", "x", 9), ("b", "y", 9), ("a", "y", 9)]
    rows += [("a", "z", 9), ("c", "x", 9)]
    (fold,) = folds_of(rows, seen="drop", cuts=(0.4,))
    assert fold.cut == 4
    assert targets(fold) == {"a": ["z"], "c": ["x"]}
    assert fold.n_left_out == 1
    query = fold.query()
    excluded = query.exclude[0]
    assert sorted(fold.train.item_ids.ids(excluded)) == ["x", "y"]
    assert fold.train.scenario.seen == "drop"


def test_keep_excludes_nothing():
    (fold,) = folds_of(SIX, cuts=(0.7,))
    assert fold.query().exclude is None


def test_targets_are_distinct_and_positive_only():
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 5), ("a", "z", 6), ("a", "x", 7, "view"), ("a", "y", 8, "view")]
    (fold,) = folds_of(rows, cuts=(0.25,))
    assert targets(fold) == {"a": ["z"]}


def test_a_value_below_the_limit_is_history_and_no_target():
    table = events([("a", "x", 1), ("a", "y", 2), ("a", "x", 3), ("a", "y", 4)])
    frame = table.frame.with_columns(value=np.array([4, 2, 2, 4], dtype=np.float32))
    own = scenario(positive_value={"buy": 3.5})
    (fold,) = folds_of(type(table)(frame), own=own, cuts=(0.2,))
    assert (fold.cut, targets(fold)) == (1, {"a": ["y"]})


def test_a_cancellation_acts_inside_its_own_part():
    rows = [
        ("a", "x", 1),
        ("a", "y", 2),
        ("a", "x", 3, "cancel"),
        ("b", "y", 4),
        ("b", "x", 5),
        ("b", "x", 6, "cancel"),
    ]
    rows += [("a", "y", 7, "cancel"), ("a", "z", 8), ("b", "z", 9)]
    (fold,) = folds_of(rows, cuts=(0.4,))
    assert fold.cut == 4
    # x was taken back before the cut; y only after it, which nobody knew at the cut; b's x was never kept.
    assert trained(fold) == ["ay", "ax", "by"]
    assert targets(fold) == {"a": ["z"], "b": ["z"]}


def test_equal_events_count_once_but_the_cut_is_set_before():
    rows = [("a", "x", 1)] * 5 + [("a", "y", 2), ("b", "x", 3), ("b", "y", 4), ("a", "z", 5), ("b", "z", 6)]
    (fold,) = folds_of(rows, cuts=(0.7,))
    assert fold.cut == 4
    assert trained(fold) == ["ax", "ay", "bx", "by"]
    (raw,) = folds_of(rows, cuts=(0.7,), own=scenario(duplicates=False))
    assert len(trained(raw)) == 8


def test_an_event_id_counts_once_even_across_the_cut():
    table = events([("a", "x", 1), ("b", "y", 2), ("a", "x", 8), ("b", "z", 9)], event_id=["e1", "e2", "e1", None])
    (fold,) = folds_of(table, cuts=(0.25,))
    assert targets(fold) == {"b": ["z"]}


def test_minimum_activity_limits_training_and_not_targets():
    rows = [("a", "x", 1), ("b", "x", 2), ("b", "y", 3), ("a", "y", 5), ("b", "z", 6)]
    (fold,) = folds_of(rows, own=scenario(min_user_events=2), cuts=(0.4,))
    assert trained(fold) == ["bx", "by"]
    assert people(fold, "new_users") == "a"
    assert people(fold, "warm") == "b"


def test_validation_is_the_same_rule_inside_the_training_part():
    (fold,) = folds_of(SIX, cuts=(0.7,))
    inner = fold.validation
    assert inner is fold.validation
    # Eight events, floor(.7 x 8) = 5: time 6.
    assert inner.cut == 6
    assert targets(inner) == {"b": ["z"], "c": ["x"]}
    assert inner.train.item_ids is fold.train.item_ids


def test_validation_is_none_where_nothing_is_left():
    (fold,) = folds_of([("a", "x", 1), ("a", "y", 2)], cuts=(0.4,))
    assert fold.validation is None


def test_cuts_are_folds_of_one_vocabulary():
    folds = folds_of(SIX, cuts=(0.3, 0.7))
    assert [fold.name for fold in folds] == ["time@0.3", "time@0.7"]
    assert folds[0].train.item_ids is folds[1].train.item_ids
    assert folds[0].cut < folds[1].cut


def test_no_event_after_the_cut_is_an_error():
    with pytest.raises(ProtocolError, match=r"both sides of the cut at 0\.9"):
        folds_of([("a", "x", 1), ("b", "y", 1)])


def test_no_event_at_all_is_an_error():
    with pytest.raises(ProtocolError, match="no events to split"):
        folds_of([])


def test_folds_of_people_learn_from_the_others_only():
    rows = [(user, item, t) for t, (user, item) in enumerate([(u, i) for i in "wxyz" for u in "abcdefgh"])]
    folds = folds_of(rows, cuts=(0.7,), folds=4)
    asked = sorted(user for fold in folds for user in targets(fold))
    assert asked == sorted("abcdefgh")
    for fold in folds:
        learned = {pair[0] for pair in trained(fold)}
        assert not learned & set(targets(fold))
        assert all(histories(fold))
        assert not fold.by_time
        inner = fold.validation
        if inner is not None:
            assert not set(targets(inner)) & set(targets(fold))
            assert not {pair[0] for pair in trained(inner)} & (set(targets(inner)) | set(targets(fold)))


def test_an_anonymous_session_is_a_person():
    table = events([("a", "x", 1), (None, "x", 2), (None, "y", 3), ("a", "y", 4)], session_id=["s", "t", "t", "s"])
    (fold,) = folds_of(table, cuts=(0.25,))
    assert targets(fold) == {"a": ["y"], "session:t": ["y"]}
