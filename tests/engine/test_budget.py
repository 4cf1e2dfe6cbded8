"""Budgets: costs are learned, what fits runs in the order of worth per cost, and what does not is named."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inkling
from inkling.core.errors import OverloadError
from inkling.core.run import Run
from inkling.engine.base import Ask
from inkling.engine.budget import Budget, Costs
from inkling.engine.members import MEMBERS
from inkling.engine.pipeline import Trace
from inkling.engine.pipelines.default import Default, DefaultConfig
from inkling.testing import worlds


def learned(**ms):
    costs = Costs()
    for _ in range(60):
        for part, took in ms.items():
            costs.note(part, took)
    return costs


def test_a_cost_is_learned_and_one_slow_moment_hardly_moves_it():
    costs = learned(a=2.0)
    assert costs.expected("a") == pytest.approx(2.0, abs=0.01)
    costs.note("a", 2000.0)
    assert costs.expected("a") < 4.5
    for _ in range(60):
        costs.note("a", 2.0)
    assert costs.expected("a") == pytest.approx(2.0, abs=0.1)
    assert costs.expected("never measured") == 0.0
    assert costs.told().keys() == {"a"}


def test_a_cold_start_is_soon_forgotten():
    costs = Costs()
    costs.note("a", 500.0)
    for _ in range(30):
        costs.note("a", 1.0)
    assert costs.expected("a") < 2.5


@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=50))
def test_a_cost_stays_between_what_was_seen(seen):
    costs = Costs()
    for ms in seen:
        costs.note("a", ms)
    assert 0 <= costs.expected("a") <= 3 * max(seen) + 0.5


def test_what_is_left_out_fades_until_it_is_tried_again():
    costs = learned(slow=50.0)
    tried = 0
    while True:
        left_out = []
        tried += 1
        if Budget(20.0, costs, left_out).fits("slow", "recall"):
            break
        assert left_out == ["slow: no time"]
    assert 10 < tried < 200


def test_what_follows_must_still_fit():
    costs = learned(**{"ranker": 4.0, "least.policy": 3.0, "least.state": 90.0})
    assert Budget(50.0, costs, []).fits("ranker", "features")
    assert not Budget(6.5, costs, []).fits("ranker", "features")
    assert not Budget(50.0, learned(**{"text": 4.0, "least.state": 90.0}), []).fits("text", "state")


def test_a_part_is_named_once_and_stays_out():
    left_out = []
    budget = Budget(1.0, learned(a=5.0), left_out)
    assert [budget.fits("a", "recall") for _ in range(3)] == [False] * 3
    assert left_out == ["a: no time"]


def test_without_a_limit_everything_fits_and_is_measured():
    costs = Costs()
    budget = Budget(None, costs, [])
    budget.begin(2)
    with budget.part("a", "recall"):
        time.sleep(0.01)
    assert budget.fits("a", "recall")
    budget.settle({"recall": 30.0, "policy": 2.0})
    assert 4.0 < costs.expected("a") / 1.5 < 40
    assert costs.expected("least") < 1.5 * 11.5
    assert budget.remaining_ms() == float("inf")
    assert Budget(3.0, None, []).fits("a", "recall")


def test_worth_per_cost_decides_who_comes_first():
    budget = Budget(9.0, learned(dear=10.0, cheap=1.0, poor=1.0), [])
    assert budget.by_worth({"dear": 2.0, "cheap": 1.0, "poor": 0.1, "new": 0.01}) == ["new", "cheap", "dear", "poor"]


def test_not_even_the_least_is_refused_and_not_for_ever():
    costs = learned(least=20.0)
    with pytest.raises(OverloadError, match="The cheapest answer takes some 20 ms, and "):
        Budget(5.0, costs, []).begin(1)
    with pytest.raises(OverloadError):
        Budget(50.0, costs, []).begin(3)
    for _ in range(100):
        try:
            Budget(5.0, costs, []).begin(1)
            break
        except OverloadError:
            continue
    else:
        pytest.fail("it is refused for ever")


# -- in the default pipeline ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    data = worlds.shop()
    names = ("popular", "repeat", "semantic", "ease")
    members = {name: MEMBERS[name] for name in names}
    config = DefaultConfig(members=members, order="linear", n_windows=1, deep_minutes=0.0, encoder="hashing")
    return data, Default(config, data.scenario).fit(data, Run())


def answer(fitted, budget_ms, costs):
    data, pipeline = fitted
    trace = Trace(budget_ms, costs)
    trace.budget.begin(2)
    found = pipeline.recommend(data.query(np.arange(2, dtype=np.int32)), 5, trace)
    trace.budget.settle(trace.timings_ms)
    return found, trace


def test_a_member_and_the_ranker_without_time_are_named_and_the_rest_answers(fitted):
    costs = Costs()
    whole, trace = answer(fitted, None, costs)
    assert trace.left_out == []
    timed = set(costs.told()) - {"least"} - {f"least.{stage}" for stage in trace.timings_ms}
    assert "ranker" in timed
    for part in timed:
        for _ in range(80):
            costs.note(part, 1e4)
    few, trace = answer(fitted, 1000.0, costs)
    assert trace.left_out[-1] == "ranker: no time"
    assert {line.partition(":")[0] for line in trace.left_out} == timed
    assert np.diff(few.offsets).tolist() == np.diff(whole.offsets).tolist()
    assert ((few.scores >= 0) & (few.scores <= 1)).all()


def test_a_large_budget_changes_nothing(fitted):
    costs = Costs()
    whole, _ = answer(fitted, None, costs)
    same, trace = answer(fitted, 1e6, costs)
    assert trace.left_out == []
    assert same.item_rows.tolist() == whole.item_rows.tolist()
    assert same.scores.tolist() == whole.scores.tolist()


# -- in the engine ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shop():
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": str(n), "title": f"mug number {n}"} for n in range(6)])
        engine.observe([{"user_id": "ann", "item_id": "1"}])
        assert engine.read_all()
        yield engine


def dear(engine, part):
    for _ in range(80):
        engine._serving.costs.note(part, 1e4)


def test_a_text_without_time_is_not_read(shop):
    asked = {"k": 3, "text": "number 4", "budget_ms": 500.0}
    shop.recommend("ann", **{**asked, "budget_ms": None})
    dear(shop, "text")
    told = shop.recommend("ann", **asked)
    assert told.left_out == ("text: no time",)
    assert told.item_ids == shop.recommend("ann", k=3).item_ids
    assert len(shop.recommend(None, **asked).items) == 3


def test_reasons_without_time_are_left_out(shop):
    assert shop.recommend("ann", explain=True).items[0].reason is not None
    dear(shop, "reasons")
    told = shop.recommend("ann", explain=True, budget_ms=500.0)
    assert told.left_out == ("reasons: no time",)
    assert told.items[0].reason is None


def test_a_budget_that_holds_nothing_is_refused_clearly(shop):
    shop.recommend("ann")
    with pytest.raises(OverloadError, match="The cheapest answer takes some"):
        shop.ask(Ask(user_id="ann", budget_ms=1e-6))
