"""From a question in external ids to a query in rows."""

from __future__ import annotations

import numpy as np
import pytest

import inkling
from inkling.core.errors import RequestError
from inkling.core.scenario import Scenario
from inkling.engine import asking
from inkling.engine.base import Ask


@pytest.fixture
def engine():
    with inkling.open("memory://", scenario=Scenario(context=("country",))) as made:
        made.put_items([{"item_id": str(n), "title": f"mug {n}", "price": float(n)} for n in range(5)])
        made.observe([{"user_id": "ann", "item_id": "1", "context": {"country": "FR"}}])
        yield made


def query(engine, *questions, now=10**13):
    return asking.query_of(list(questions), engine.views, engine.pipeline, now_ms=now)


def test_ids_become_rows_and_unknown_ones_go(engine):
    got = query(engine, Ask(user_id="ann", candidates=("3", "x", "3", "0"), exclude=("2", "y")), Ask(user_id="bob"))
    assert got.user_rows.tolist() == [0, -1]
    assert got.candidates[0].tolist() == [3, 0]
    assert got.exclude[0].tolist() == [2]
    assert got.exclude[1].tolist() == []
    assert got.n_items == 5
    assert got.history.item_rows.tolist() == [1]
    assert got.texts == ()


def test_a_history_that_is_brought_along_was_just_now_in_its_order(engine):
    got = query(engine, Ask(user_id="ann", history=("4", "none", "2")), Ask(history=()))
    assert got.history.item_rows.tolist() == [4, 2]
    assert got.history.ts.tolist() == [10**13 - 120_000, 10**13 - 60_000]
    assert np.diff(got.history.offsets).tolist() == [2, 0]
    with pytest.raises(RequestError, match=r"Some questions bring a history and some do not\. Ask them apart"):
        query(engine, Ask(history=("1",)), Ask(user_id="ann"))


def test_a_context_is_what_is_said_or_else_what_was_last_known(engine):
    assert query(engine, Ask(user_id="ann"), Ask(user_id="bob")).context == {"country": ("FR", None)}
    told = Ask(user_id="ann", context={"country": "ES", "device": "tv"})
    assert query(engine, told).context == {"country": ("ES",), "device": ("tv",)}
    assert query(engine, Ask(user_id="bob")).context == {}


def test_a_filter_narrows_what_may_be_answered(engine):
    cheap = {"all": [{"field": "price", "op": "lt", "value": 2}]}
    assert np.flatnonzero(query(engine, Ask(user_id="ann", filter=cheap)).allowed).tolist() == [0, 1]
    assert query(engine, Ask(user_id="ann")).allowed.all()


def test_texts_are_read_once_for_all(engine):
    got = query(engine, Ask(text="mug"), Ask(user_id="ann"))
    assert got.texts == ("mug", None)
    (vectors,) = got.text_vectors.values()
    assert vectors.shape[0] == 2
    assert vectors[0].any()
    assert not vectors[1].any()


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ({"budget_ms": 0.0}, "budget_ms is 0; it must be above 0"),
        ({"budget_ms": -3.5}, "budget_ms is -3.5"),
    ],
)
def test_what_is_not_honoured_is_refused(field, why):
    with inkling.open() as engine, pytest.raises(RequestError, match=why):
        engine.recommend("ann", **field)
