"""A request that waited gets less, or nothing: budgets count from arrival, and refusals say when to come back."""

from __future__ import annotations

import pytest

import inkling
from inkling.core.errors import OverloadError
from inkling.engine.base import Ask
from inkling.server import load
from inkling.server.load import Load

BUSY = load.CALM_MS + 10


class Engine:
    """Answers with the budget that it was given."""

    def __init__(self, *, refuses=False):
        self._refuses = refuses

    def costs(self):
        return {"least": 4.0}

    def ask(self, question):
        if self._refuses and question.budget_ms is not None:
            raise OverloadError("No.")
        return question.budget_ms


def answered(budget_ms, waited_ms, *, busy=False, engine=None):
    made = Load()
    for _ in range(400 if busy else 0):
        made.answer(Engine(), Ask(user_id="a"), waited_ms=BUSY)
    return made.answer(engine or Engine(), Ask(user_id="a", budget_ms=budget_ms), waited_ms=waited_ms)


def test_a_budget_counts_from_arrival():
    assert answered(20.0, 5.0) == 15.0
    with pytest.raises(OverloadError, match="waited 25 ms, and 20 ms is all it could take"):
        answered(20.0, 25.0)


def test_in_bad_times_who_waits_gets_a_small_budget():
    assert answered(None, BUSY, busy=True) == 6.0
    assert answered(None, 1.0, busy=True) is None
    assert answered(None, BUSY) is None, "one that waited is no bad time"
    assert answered(None, BUSY, busy=True, engine=Engine(refuses=True)) is None
    assert answered(20.0 + BUSY, BUSY, busy=True) == 20.0


def test_who_waited_too_long_is_not_answered():
    with pytest.raises(OverloadError, match="waited 5000 ms, and 5000 ms"):
        answered(None, load.PATIENCE_MS)


def test_an_impossible_budget_is_left_to_the_engine():
    assert answered(-1.0, 5.0) == -1.0


def test_over_a_real_socket(served):
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": "1", "title": "mug"}])
        url = served(engine)
        with inkling.connect(url, retries=0) as remote:
            assert remote.recommend("ann", budget_ms=10_000.0).left_out == ()
            for _ in range(60):
                engine._serving.costs.note("least", 500.0)
            with pytest.raises(OverloadError, match="The cheapest answer takes some") as caught:
                remote.recommend("ann", budget_ms=50.0)
            assert caught.value.code == "overloaded"
        import httpx2

        answer = httpx2.post(f"{url}/v1/recommend", json={"user_id": "ann", "budget_ms": 50.0})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        text = httpx2.get(f"{url}/metrics").text
        assert 'inkling_shed_total{what="answer"} 2' in text
        assert "inkling_least_seconds 0." in text
