"""Leave one out, by hand."""

from __future__ import annotations

from inkling.testing.logs import events, folds_of, histories, people, scenario, targets, trained

ROWS = [("a", item, time) for time, item in enumerate("pqrs")] + [("b", "p", 1), ("b", "q", 2)]


def test_the_last_is_the_target_and_the_one_before_validates():
    (fold,) = folds_of(ROWS, split="loo")
    assert targets(fold) == {"a": ["s"]}
    assert histories(fold) == ["pqr"]
    assert targets(fold.validation) == {"a": ["r"]}
    assert histories(fold.validation) == ["pq"]


def test_there_is_no_refit():
    (fold,) = folds_of(ROWS, split="loo")
    assert fold.validation.train is fold.train
    assert sorted(trained(fold)) == ["ap", "aq", "bp", "bq"]
    assert not fold.by_time


def test_people_with_fewer_than_three_train_only():
    (fold,) = folds_of(ROWS, split="loo")
    assert people(fold, "warm") == "a"


def test_events_after_a_held_out_one_are_not_learned():
    rows = [("a", "p", 1), ("a", "q", 2), ("a", "r", 3), ("a", "s", 4), ("a", "z", 5, "view")]
    (fold,) = folds_of(rows, split="loo")
    assert trained(fold) == ["ap", "aq"]
    assert targets(fold) == {"a": ["s"]}


def test_events_at_one_time_hold_out_the_last_session():
    rows = [("a", "p", 1), ("a", "q", 1), ("a", "r", 2), ("a", "s", 2), ("a", "t", 5), ("a", "u", 5), ("a", "v", 5)]
    (fold,) = folds_of(rows, split="loo")
    assert targets(fold) == {"a": ["t", "u", "v"]}
    assert targets(fold.validation) == {"a": ["r", "s"]}
    assert trained(fold) == ["ap", "aq"]


def test_a_named_session_is_held_out_whole():
    rows = [("a", "p", 1), ("a", "q", 2), ("a", "r", 4), ("a", "s", 5), ("a", "t", 5)]
    (fold,) = folds_of(events(rows, session_id=["1", "2", "3", "3", "3"]), split="loo")
    assert targets(fold) == {"a": ["r", "s", "t"]}
    assert targets(fold.validation) == {"a": ["q"]}


def test_one_invoice_alone_is_not_split():
    rows = [("a", "p", 1), ("a", "q", 1), ("a", "r", 1), *(("b", item, time) for time, item in enumerate("pqr"))]
    (fold,) = folds_of(rows, split="loo")
    assert targets(fold) == {"b": ["r"]}


def test_order_is_enough_and_the_targets_time_is_not_given_away():
    (fold,) = folds_of(ROWS, split="", own=scenario(time="order"))
    assert fold.name == "loo"
    assert fold.query().now.tolist() == [2]


def test_drop_leaves_out_what_was_there_before():
    rows = [("a", item, time) for time, item in enumerate("pqrp")] + [
        ("b", item, 9 + i) for i, item in enumerate("pqr")
    ]
    (fold,) = folds_of(rows, split="loo", seen="drop")
    assert targets(fold) == {"b": ["r"]}
    assert fold.n_left_out == 1


def test_folds_of_people():
    rows = [(user, item, time) for user in "abcdef" for time, item in enumerate("pqrs")]
    folds = folds_of(rows, split="loo", folds=3)
    assert sorted(user for fold in folds for user in targets(fold)) == sorted("abcdef")
    for fold in folds:
        assert not {pair[0] for pair in trained(fold)} & set(targets(fold))
        assert set(histories(fold)) <= {"pqr"}
