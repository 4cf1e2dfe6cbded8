from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.scenario import Scenario
from inkling.core.tables import Events
from inkling.core.vocabulary import Vocabulary
from inkling.events.build import build_dataset
from inkling.events.parts import drop_taken_back
from inkling.stores.base import Changes
from inkling.stores.rings import LiveEvent
from inkling.stores.state import StateTable, anonymous_key, strength

SHOP = Scenario(
    positive={"purchase": 2.0, "rating": 1.0},
    positive_value={"rating": 3.5},
    signals={"view": 0.5},
    takes_back={"cancellation": "purchase"},
)


@pytest.fixture
def state():
    return StateTable(Vocabulary(), Vocabulary(), Vocabulary(), SHOP)


def block(version, *rows, kind="events"):
    return Changes(kind, rows, version, 5)


def items_of(state, user_id, session_id=None):
    row = state.row_of(user_id, session_id)
    return state._items.ids(state.history(np.array([row], dtype=np.int32)).item_rows)


def bought(user_id, item_id, ts, event="purchase", **more):
    return {"user_id": user_id, "item_id": item_id, "event": event, "timestamp": ts, **more}


def test_events_become_history(state):
    state.apply(block(2, bought("ann", "mug", 10, value=3), bought("ann", "jug", 20, "view", session_id="s")))
    found = state.history(np.array([state.row_of("ann")], dtype=np.int32))
    assert items_of(state, "ann") == ["mug", "jug"]
    assert found.weights.tolist() == [2.0, 0.5]
    assert found.events.tolist() == [0, 1]
    assert (found.values[0], np.isnan(found.values[1])) == (3.0, True)
    assert found.session_rows.tolist() == [0, 1]
    assert (state.version, state.n_events(state.row_of("ann"))) == (2, 2)


def test_a_block_counts_once(state):
    once = block(1, bought("ann", "mug", 10))
    state.apply(once)
    state.apply(once)
    assert items_of(state, "ann") == ["mug"]


def test_what_is_no_history(state):
    rows = [
        bought("ann", "mug", 1, "impression"),
        bought("ann", None, 1, "opt_out"),
        {"user_id": "ann", "event": "search", "text": "red mug"},
        {"item_id": "mug", "event": "purchase"},
    ]
    state.apply(block(4, *rows))
    state.apply(block(5, {"item_id": "mug"}, kind="items"))
    assert state.row_of("ann") == -1
    assert state.version == 5


def test_an_event_without_a_name_or_time(state):
    state.apply(block(1, {"user_id": "ann", "item_id": "mug"}))
    found = state.history(np.array([0], dtype=np.int32))
    assert (found.ts.tolist(), state._events.ids()) == ([5], ["interaction"])


def test_a_session_is_a_person_until_it_is_merged(state):
    anonymous = {"session_id": "s1", "item_id": "mug", "event": "view", "timestamp": 10}
    state.apply(block(1, anonymous))
    assert items_of(state, None, "s1") == ["mug"]
    assert state._users.ids() == [anonymous_key("s1")]
    state.apply(block(2, bought("ann", "jug", 5)))
    state.apply(block(3, {"user_id": "ann", "session_id": "s1"}, kind="merge"))
    state.apply(block(4, {**anonymous, "item_id": "cup", "timestamp": 30}))
    assert items_of(state, "ann") == ["jug", "mug", "cup"]
    assert state.row_of(None, "s1") == state.row_of("ann")
    state.apply(block(5, {"user_id": "ann"}, kind="erase"))
    assert items_of(state, "ann") == []
    assert state.row_of(None, "s1") == state._users.row_of(anonymous_key("s1"))
    assert items_of(state, None, "s1") == []


def test_merging_a_session_that_was_never_seen(state):
    state.apply(block(1, {"user_id": "ann", "session_id": "s9"}, kind="merge"))
    state.apply(block(2, {"session_id": "s9", "item_id": "mug"}))
    assert items_of(state, "ann") == ["mug"]


def test_nobody(state):
    assert (state.row_of(None), state.row_of("ghost"), state.row_of("", "")) == (-1, -1, -1)
    assert state.forget("ghost") == 0


def test_an_emptied_erasure_changes_nothing(state):
    state.apply(block(1, bought("ann", "mug", 10)))
    state.apply(block(2, kind="erase"))
    assert items_of(state, "ann") == ["mug"]
    assert state.version == 2


@pytest.mark.parametrize(
    ("event", "value", "weight"),
    [
        ("purchase", None, 2.0),
        ("rating", 4.0, 1.0),
        ("rating", 3.0, 0.0),
        ("rating", None, 0.0),
        ("view", 1, 0.5),
        ("x", 1, 0.0),
    ],
)
def test_strength(event, value, weight):
    assert strength(SHOP, event, value) == weight


def test_append_in_rows(state):
    state.append(3, LiveEvent(7, 1))
    assert state.n_events(3) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", None]),
            st.sampled_from(["mug", "jug"]),
            st.sampled_from(["purchase", "view", "cancellation", "rating"]),
            st.sampled_from([None, 1.0, 2.0, 4.0, -1.0, -3.0]),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_live_equals_what_a_fit_would_see(stream):
    """The same events through the log and through cleaning give the same histories."""
    ts, rows = 1_600_000_000_000, []
    for user, item, name, value, pause in stream:
        ts += pause * 1_000_000 + 1
        rows.append(bought(user, item, ts, name, value=value, session_id=None if user else "s"))
    frame = pl.DataFrame(rows, schema_overrides={"value": pl.Float32, "user_id": pl.String, "session_id": pl.String})
    users, items, names = Vocabulary(), Vocabulary(), Vocabulary()
    state = StateTable(users, items, names, SHOP)
    for version, row in enumerate(rows, start=1):
        state.apply(block(version, row))
    kept, _ = drop_taken_back(frame.with_columns(pl.coalesce("user_id", pl.lit("session:s")).alias("user_id")), SHOP)
    fitted = build_dataset(Events(kept), SHOP, user_ids=users, item_ids=items).interactions
    people = np.arange(len(users), dtype=np.int32)
    mine, theirs = state.history(people), fitted.histories(people)
    for field in ("offsets", "item_rows", "ts", "weights", "values", "session_rows"):
        np.testing.assert_array_equal(getattr(mine, field), getattr(theirs, field), err_msg=field)
    assert names.ids(mine.events) == [fitted.event_names[code] for code in theirs.events]
