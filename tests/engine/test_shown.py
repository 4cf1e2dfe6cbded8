"""What may be shown, and what is shown."""

import numpy as np
import pytest

import inkling
from inkling.core.candidates import Candidates
from inkling.core.errors import RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.scenario import Scenario
from inkling.engine.shown import Shown

RED = {"all": [{"field": "colour", "op": "eq", "value": "red"}]}


def question(*had, n_items=6):
    history = History.of_items(Jagged.from_lists([list(had)]))
    allowed = np.ones(n_items, dtype=np.bool_)
    return Query(history, np.zeros(1, dtype=np.int64), n_items, np.zeros(1, dtype=np.int32), allowed=allowed)


def candidates(*rows):
    scores = np.linspace(1, 0.5, len(rows)).astype(np.float32)
    return Candidates.of(np.array([0, len(rows)]), np.array(rows, dtype=np.int32), scores, source="test")


def red(where):
    assert where == RED
    return np.array([True, False, True, False, False, False])


def test_what_was_had_is_left_out_only_where_nothing_is_shown_again():
    assert Shown(Scenario(seen="drop")).limited(question(1, 3)).exclude[0].tolist() == [1, 3]
    assert Shown(Scenario(seen="keep")).limited(question(1, 3)).exclude is None


def test_a_filter_rule_acts_before_anything_is_searched():
    kept = Shown(Scenario(seen="keep", rules=({"kind": "filter", "where": RED},)), mask_of=red)
    assert np.flatnonzero(kept.limited(question()).allowed).tolist() == [0, 2]
    gone = Shown(Scenario(seen="keep", rules=({"kind": "filter", "where": RED, "keep": False},)), mask_of=red)
    assert np.flatnonzero(gone.limited(question()).allowed).tolist() == [1, 3, 4, 5]


def test_a_boost_moves_up_and_a_pin_stands_first():
    boosted = Shown(Scenario(rules=({"kind": "boost", "where": RED, "factor": 3.0},)), mask_of=red)
    assert boosted.apply(question(), candidates(1, 3, 2), 3).item_rows.tolist() == [2, 1, 3]
    pinned = Shown(Scenario(rules=({"kind": "pin", "where": RED},)), mask_of=red)
    assert pinned.apply(question(), candidates(1, 3, 4), 2).item_rows.tolist()[1:] == [1]


def test_a_rule_about_a_field_that_no_item_has_names_nothing(caplog):
    def unknown(where):
        raise RequestError("No item has a field 'colour'.")

    rules = ({"kind": "boost", "where": RED, "factor": 3.0}, {"kind": "filter", "where": RED, "keep": False})
    shown = Shown(Scenario(seen="keep", rules=rules), mask_of=unknown)
    assert shown.limited(question()).allowed.all()
    assert shown.apply(question(), candidates(1, 3), 2).item_rows.tolist() == [1, 3]
    assert "names no item" in caplog.text


def test_variety_takes_the_second_like_item_down():
    vectors = np.zeros((6, 2), dtype=np.float32)
    vectors[[0, 1]], vectors[2] = [1, 0], [0, 1]
    items = candidates(0, 1, 2)
    plain = Shown(Scenario(), mask_of=red, vectors=lambda: vectors)
    varied = Shown(Scenario(), diversity=0.8, mask_of=red, vectors=lambda: vectors)
    assert plain.apply(question(), items, 2).item_rows.tolist() == [0, 1]
    assert varied.apply(question(), items, 2).item_rows.tolist() == [0, 2]


@pytest.mark.parametrize("n_pass", [1, 3])
def test_a_rule_that_few_items_pass_still_fills_the_list(n_pass):
    items = [{"item_id": str(i), "title": f"thing {i}", "stock": int(i < n_pass)} for i in range(60)]
    rule = {"kind": "filter", "where": {"all": [{"field": "stock", "op": "eq", "value": 1}]}}
    with inkling.open(scenario=Scenario(seen="keep", rules=(rule,))) as engine:
        engine.put_items(items)
        engine.observe([{"user_id": f"u{i}", "item_id": str(i % 60)} for i in range(120)])
        found = engine.recommend("u1", k=10).item_ids
    assert sorted(found) == [str(i) for i in range(n_pass)]
