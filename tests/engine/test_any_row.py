"""Whatever an item, a person or an event says of itself, the views go on and the next question has its answer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inkling
from inkling.core.errors import RequestError

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)  # what cannot be written at all is refused: see test_wire
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["title", "description", "categories", "price", "created_at", "hidden", "about", "opted_out", "odd"]
)
CALM = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
EVENT = st.fixed_dictionaries(
    {"user_id": st.just("odd"), "item_id": st.sampled_from(["odd-0", "cat-toy", "new"])},
    optional={name: JSON for name in ("event", "timestamp", "value", "text", "context", "session_id", "event_id")},
)


@pytest.fixture(scope="module")
def engine(saved):
    with inkling.open("memory://", bundle=saved) as made:
        yield made


@CALM
@given(rows=st.lists(st.dictionaries(FIELDS, JSON, max_size=4), min_size=1, max_size=3))
def test_any_item_and_person(engine, rows):
    version = engine.put_items([{**row, "item_id": f"odd-{n}"} for n, row in enumerate(rows)])
    engine.patch_item("odd-0", rows[-1])
    engine.put_users([{**rows[0], "user_id": "odd"}])
    answer = engine.recommend(["odd", "u1"], k=20, explain=True, min_version=version)[0]
    assert answer.version >= version
    assert engine.get_item("odd-0")["item_id"] == "odd-0"
    assert engine.score("odd", ["odd-0"])


@CALM
@given(events=st.lists(EVENT, max_size=3))
def test_any_event(engine, events):
    before = engine.version
    told = engine.ingest(events)
    assert told.accepted + len(told.rejected) == len(events)
    assert told.version >= before
    assert engine.recommend("odd", k=3, min_version=told.version).version >= told.version
    for event in (events[each.index] for each in told.rejected):
        with pytest.raises(RequestError, match="event 0"):
            engine.observe([event])
