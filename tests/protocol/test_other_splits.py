"""random, given and cold, by hand."""

from __future__ import annotations

import pytest

from inkling.core.errors import ProtocolError
from inkling.testing.logs import candidates, catalogue, events, folds_of, histories, people, scenario, targets, trained

TIMELESS = scenario(time="none")
FIFTY = [(user, item, 0) for user in "abcde" for item in "qrstuvwxyz"]


def pairs(fold):
    return {user + item for user, items in targets(fold).items() for item in items}


def test_random_is_80_10_10():
    (fold,) = folds_of(FIFTY, own=TIMELESS)
    assert fold.name == "random"
    assert (len(trained(fold)), len(pairs(fold.validation)), len(pairs(fold))) == (40, 5, 5)
    assert not set(trained(fold)) & pairs(fold)
    assert not pairs(fold.validation) & pairs(fold)
    assert fold.validation.train is fold.train


def test_random_is_seeded():
    first, again, other = (pairs(folds_of(FIFTY, own=TIMELESS, split_seed=s)[0]) for s in (0, 0, 1))
    assert first == again != other


def test_random_takes_the_views_of_a_held_out_pair_along():
    rows = FIFTY + [(user, item, 0, "view") for user, item, _ in FIFTY]
    (fold,) = folds_of(rows, own=TIMELESS)
    assert not set(trained(fold)) & (pairs(fold) | pairs(fold.validation))
    assert len(trained(fold)) == 80


def test_time_and_order_are_needed_where_they_are_needed():
    for split in ("time", "loo", "replay"):
        with pytest.raises(ProtocolError, match=f"Split '{split}' was asked for, but this data has neither times"):
            folds_of(FIFTY, own=TIMELESS, split=split)
    with pytest.raises(ProtocolError, match="stands on time or on order"):
        folds_of(FIFTY, own=TIMELESS, split="cold")
    with pytest.raises(ProtocolError, match="an order of events but no real times"):
        folds_of(FIFTY, own=scenario(time="order"), split="time")


def test_folds_of_people_need_time_or_loo():
    with pytest.raises(ProtocolError, match="Folds over people were asked for with split 'random'"):
        folds_of(FIFTY, own=TIMELESS, folds=2)


def test_given_columns():
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 3), ("b", "x", 4), ("b", "z", 5)]
    (fold,) = folds_of(events(rows, split=["train", "valid", "test", "train", "test"]), split="given")
    assert trained(fold) == ["ax", "bx"]
    assert targets(fold) == {"a": ["z"], "b": ["z"]}
    assert histories(fold) == ["xy", "x"]
    assert targets(fold.validation) == {"a": ["y"]}


def test_given_windows_ask_for_their_last_event():
    rows = [("w1", "x", 1), ("w1", "y", 2), ("w2", "y", 3), ("w2", "x", 4), ("w2", "x", 5)]
    (fold,) = folds_of(events(rows, split=["train", "train", "test", "test", "test"]), split="given")
    assert targets(fold) == {"w2": ["x"]}
    assert histories(fold) == ["yx"]
    assert trained(fold) == ["w1x", "w1y"]
    assert fold.validation is None


def test_given_needs_its_column():
    with pytest.raises(ProtocolError, match="no column split"):
        folds_of([("a", "x", 1)], split="given")
    with pytest.raises(ProtocolError, match="it holds train"):
        folds_of(events([("a", "x", 1)], split=["train"]), split="given")


ITEMS = "pqrstuvwxyz"
COLD = [(user, item, 10 * n + k) for n, item in enumerate(ITEMS) for k, user in enumerate("abcd")]
COLD += [(user, item, 1000 + k) for k, (user, item) in enumerate((u, i) for i in "pquw" for u in "abcd")]


def test_cold_hides_each_item_once_and_pools():
    folds = folds_of(COLD, catalogue(ITEMS), split="cold", cuts=(0.72,), cold_folds=2)
    hidden = [fold for fold in folds if "cold" in fold.groups]
    assert [fold.name for fold in hidden] == ["cold@0.72/items-0", "cold@0.72/items-1"]
    asked = []
    for fold in hidden:
        group = fold.groups["cold"]
        cold = set(fold.train.item_ids.ids(group.targets.values))
        asked += sorted(cold)
        assert not {pair[1] for pair in trained(fold)} & cold
        assert not {item for history in histories(fold) for item in history} & cold
        assert candidates(fold) == ITEMS
    assert sorted(asked) == sorted("pquw")


def test_cold_ranks_among_the_held_out_and_reports_the_warm_loss():
    folds = folds_of(COLD, catalogue(ITEMS), split="cold", cuts=(0.72,), cold_folds=2)
    fold, among, full = folds[:3]
    assert among.name.endswith("among-held-out")
    assert set(candidates(among)).isdisjoint({pair[1] for pair in trained(fold)})
    assert among.train is fold.train
    assert people(among, "cold_among_cold") == people(fold, "cold")
    assert people(full, "warm_full") == people(fold, "warm")
    assert len(trained(full)) > len(trained(fold))
    assert sorted(candidates(full) + candidates(among)) == sorted(candidates(fold))
    assert full.groups["warm_full"].targets.values.tolist() == fold.groups["warm"].targets.values.tolist()


def test_cold_validation_hides_other_items():
    fold = folds_of(COLD, catalogue(ITEMS), split="cold", cuts=(0.72,), cold_folds=3)[0]
    inner = fold.validation
    assert {pair[1] for pair in trained(inner)} < {pair[1] for pair in trained(fold)}


def test_cold_over_order_stands_on_loo():
    rows = [(user, item, n) for n, (user, item) in enumerate((u, i) for u in "abcdefgh" for i in "klmnopqrs")]
    folds = folds_of(rows, catalogue("klmnopqrs"), scenario(time="order"), split="cold", cold_folds=2)
    cold = [fold for fold in folds if "cold" in fold.groups and len(fold.groups["cold"].people)]
    assert len(cold) == 1
    assert set(targets(cold[0]).keys()) == set("abcdefgh")
    assert "s" not in {pair[1] for pair in trained(cold[0])}
    assert cold[0].validation.train is not cold[0].train


def test_cold_needs_two_sides():
    with pytest.raises(ProtocolError, match="both sides of the cut"):
        folds_of([("a", "x", 1), ("b", "y", 1)], split="cold")
