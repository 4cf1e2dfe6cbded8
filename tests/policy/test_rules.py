from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.policy import build
from inkling.policy.base import PolicyContext
from inkling.testing.policy import PolicyContract, context

BRAND = np.array(["a", "b", "a", "c", "b", "a"])


class TestFilterContract(PolicyContract):
    name = "rules"
    settings = {"rules": [{"kind": "filter", "where": {"even": True}}]}

    def test_without_a_context(self):
        query, items = ask()
        policy = build(self.name, self.settings)
        with pytest.raises(ConfigError, match="no catalogue to look them up in"):
            policy.apply(query, items)


class TestPinContract(TestFilterContract):
    settings = {"rules": [{"kind": "pin", "where": {"even": False}, "at": 2}]}


class TestNoRulesContract(PolicyContract):
    name = "rules"


def ask(rows=((0, 1, 2), (4, 3))):
    flat = np.concatenate([np.array(part, dtype=np.int32) for part in rows])
    offsets = np.cumsum([0, *map(len, rows)])
    scores = np.linspace(1, 0.5, len(flat), dtype=np.float32)
    query = Query(History.empty(len(rows)), np.zeros(len(rows), dtype=np.int64), 6, np.zeros(len(rows), dtype=np.int32))
    return query, Candidates.of(offsets, flat, scores, source="s").with_fields({"x": flat.astype(np.float32)})


def resolve(where):
    (condition,) = where["all"]
    return np.equal(BRAND, condition["value"])


def rule(kind, brand, **more):
    return {"kind": kind, "where": {"all": [{"field": "brand", "op": "eq", "value": brand}]}, **more}


def apply(rules, query, items):
    return build("rules", {"rules": rules}, PolicyContext(resolve=resolve)).apply(query, items)


def lists(after):
    return [after.rows_of(person).tolist() for person in range(len(after))]


def test_filter_keeps_or_drops():
    assert lists(apply([rule("filter", "a")], *ask())) == [[0, 2], []]
    assert lists(apply([rule("filter", "a", keep=False)], *ask())) == [[1], [4, 3]]


def test_boost_moves_up_and_down():
    query, items = ask()
    up = apply([rule("boost", "c", factor=3.0)], query, items)
    assert lists(up) == [[0, 1, 2], [3, 4]]
    assert up.scores_of(1)[0] == pytest.approx(1.5)
    assert lists(apply([rule("boost", "a", factor=0.5)], query, items)) == [[1, 0, 2], [4, 3]]


def test_boost_moves_negative_scores_up_too():
    query, items = ask()
    below = replace(items, scores=items.scores - 2)
    assert lists(apply([rule("boost", "c", factor=9.0)], query, below)) == [[0, 1, 2], [3, 4]]


def test_pin_moves_what_is_there_and_adds_what_is_not():
    after = apply([rule("pin", "c", at=2)], *ask())
    assert lists(after) == [[0, 3, 1, 2], [4, 3]]
    assert after.source_of(1) == "rule"
    assert np.isnan(after.fields["x"][1])


def test_pin_takes_several_and_stays_within_the_list():
    assert lists(apply([rule("pin", "a", limit=2, at=9)], *ask())) == [[1, 0, 2], [4, 3, 0, 2]]


def test_pin_keeps_to_the_limits_of_the_question():
    query, items = ask()
    hidden = replace(query, allowed=BRAND != "c")
    assert lists(apply([rule("pin", "c")], hidden, replace(items)))[0] == [0, 1, 2]
    excluded = replace(query, exclude=Jagged.from_lists([[3], []]))
    assert lists(apply([rule("pin", "c")], excluded, items))[0] == [0, 1, 2]
    only = replace(query, candidates=Jagged.from_lists([[0, 1, 2], [3, 4]]))
    assert lists(apply([rule("pin", "c")], only, items))[0] == [0, 1, 2]


def test_filters_come_before_pins():
    after = apply([rule("pin", "c"), rule("filter", "a")], *ask())
    assert lists(after) == [[3, 0, 2], [3]]


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ConfigError, match=r"policy\.rules"):
        build("rules", {"rules": [rule("hide", "a")]}, context())
