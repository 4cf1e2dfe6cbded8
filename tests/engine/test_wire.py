"""Rows as they come in: the good ones are normalised, each bad one has its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.errors import RequestError
from inkling.engine.wire import check_events, check_rows, parse_time

NOW = 1_700_000_000_000


def one(**row):
    good, bad = check_events([row], now_ms=NOW)
    return good[0] if good else bad[0].reason


def test_a_good_row_is_normalised():
    row = one(
        user_id=7, item_id="mug", value=2, context={"country": "FR", "n": 3, "none": None}, **{"context.device": "tv"}
    )
    assert row.pop("event_id")
    assert row == {
        "user_id": "7",
        "item_id": "mug",
        "event": "interaction",
        "timestamp": NOW,
        "value": 2.0,
        "context": {"country": "FR", "n": "3", "device": "tv"},
    }
    assert one(session_id="s", item_id="1", event_id="e")["event_id"] == "e"
    assert "item_id" not in one(user_id="ann", event="opt_out")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (5, "an event is an object, this is int"),
        ({"user_id": "a", "item_id": "1", "vlaue": 3}, "unknown field 'vlaue'. Did you mean 'value'?"),
        ({"item_id": "1"}, "neither user_id nor session_id is given"),
        ({"user_id": "", "item_id": "1"}, "neither user_id nor session_id is given"),
        ({"user_id": "a"}, "item_id is missing; only chat, opt_in, opt_out, query may come without one"),
        ({"user_id": True, "item_id": "1"}, "user_id must be text, this is bool"),
        ({"user_id": ["a"], "item_id": "1"}, "user_id must be text, this is list"),
        ({"user_id": "a", "item_id": 1.5}, "item_id must be text, this is float"),
        ({"user_id": "a", "item_id": "1", "value": "3"}, "value must be a finite number, this is '3'"),
        ({"user_id": "a", "item_id": "1", "value": float("nan")}, "value must be a finite number, this is 'nan'"),
        ({"user_id": "a", "item_id": "1", "value": True}, "value must be a finite number, this is 'True'"),
        ({"user_id": "a", "item_id": "1", "value": 10**400}, "value must be a finite number"),
        (
            {"user_id": "a", "item_id": "1", "context": [1]},
            "context must be an object of names and values, this is list",
        ),
        ({"user_id": "a", "item_id": "1", "timestamp": "soon"}, "timestamp 'soon' is not ISO 8601. For example 2026"),
        ({"user_id": "a", "item_id": "1", "timestamp": 1e15}, "timestamp 1000000000000000.0 is out of range"),
        ({"user_id": "a", "item_id": "1", "timestamp": 10**400}, "is out of range"),
        ({"user_id": "a", "item_id": "1", "timestamp": True}, "timestamp True is out of range"),
        ({"user_id": "a", "item_id": "1", "timestamp": [1]}, "timestamp [1] is neither epoch seconds"),
        ({"user_id": "a", "item_id": "1", "timestamp": "²"}, "timestamp '²' is neither epoch seconds"),
    ],
)
def test_each_bad_row_has_its_reason_and_the_others_go_on(row, reason):
    good, bad = check_events([{"user_id": "a", "item_id": "1"}, row], now_ms=NOW)
    assert len(good) == 1
    assert bad[0].index == 1
    assert reason in bad[0].reason


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (None, NOW),
        (1_600_000_000, 1_600_000_000_000),
        (1_600_000_000.125, 1_600_000_000_125),
        (1_600_000_000_125, 1_600_000_000_125),
        ("1600000000", 1_600_000_000_000),
        ("1600000000.5", 1_600_000_000_500),
        ("2020-09-13T12:26:40Z", 1_600_000_000_000),
        ("2020-09-13T12:26:40", 1_600_000_000_000),
        ("2020-09-13T14:26:40.125+02:00", 1_600_000_000_125),
        ("2020-09-13", 1_599_955_200_000),
        (-1, -1000),
        (0, 0),
    ],
)
def test_times_come_in_seconds_milliseconds_and_words(value, ms):
    assert parse_time(value, NOW) == ms


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_in_seconds_is_the_same_as_in_milliseconds(ms):
    assert parse_time(ms / 1000, NOW) == ms


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, [2**70], "half a character: \ud800", {"a": object()}])
def test_what_no_log_can_hold_is_refused_at_the_door(value):
    with pytest.raises(RequestError, match=r"row 0: it cannot be stored: .*Rows hold text, numbers, lists and objects"):
        check_rows([{"item_id": "1", "x": value}], "item_id")
    good, bad = check_events([{"user_id": "a", "item_id": "\ud800"}, {"user_id": "a", "item_id": "1"}], now_ms=NOW)
    assert len(good) == 1
    assert "it cannot be stored" in bad[0].reason


def test_rows_of_items_need_their_key():
    assert check_rows([{"item_id": 5, "title": "mug"}], "item_id") == ({"item_id": "5", "title": "mug"},)
    for row in ({}, {"item_id": ""}, {"item_id": None}, {"item_id": True}, {"item_id": 1.5}):
        with pytest.raises(RequestError, match=r"row 1 has no item_id\. Give each row a item_id"):
            check_rows([{"item_id": "1"}, row], "item_id")
    with pytest.raises(RequestError, match="row 0 must be an object, this is str"):
        check_rows(["mug"], "item_id")
