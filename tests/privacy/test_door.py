import numpy as np
import polars as pl
import pytest

from inkling.core.errors import ConfigError
from inkling.core.tables import Events
from inkling.privacy import Consent, Privacy, PrivacyDoor, kept, may, pseudonym
from inkling.privacy.retention import oldest_kept

SECRET = b"0123456789abcdef"
DAY_MS = 86_400_000
ROWS = [
    {"user_id": "alice", "item_id": "1", "event": "review", "text": "mail a@b.de", "timestamp": 10 * DAY_MS},
    {"session_id": "s", "item_id": "2", "event": "view", "timestamp": 2 * DAY_MS, "text": None},
]


def door(**settings):
    secret = SECRET if settings.get("pseudonyms") else b""
    return PrivacyDoor(Privacy(**settings), secret=secret, clock=lambda: 10 * DAY_MS / 1000)


def test_texts_are_masked_and_ids_left_by_default():
    assert door().rows(ROWS) == [{**ROWS[0], "text": "mail [email]"}, ROWS[1]]
    assert ROWS[0]["text"] == "mail a@b.de"
    assert door().user_id("alice") == "alice"


def test_masking_may_be_off():
    assert door(redact=False).rows(ROWS) == ROWS


def test_ids_become_pseudonyms():
    first, second = door(pseudonyms=True).rows(ROWS)
    assert first["user_id"] == pseudonym("alice", SECRET) == door(pseudonyms=True).user_id("alice")
    assert second["session_id"] == pseudonym("s", SECRET)
    assert "user_id" not in second
    assert first["item_id"] == "1"


def test_pseudonyms_need_a_secret():
    with pytest.raises(ConfigError, match="expected at least 16"):
        PrivacyDoor(Privacy(pseudonyms=True))


def test_old_events_are_not_taken_in():
    assert [row["item_id"] for row in door(retention_days=5).rows(ROWS)] == ["1"]
    assert len(door(retention_days=5).rows(ROWS, now_ms=7 * DAY_MS)) == 2


def test_rows_of_people():
    row = {"user_id": "alice", "about": "ring 13812345678", "age": 30}
    assert door().rows([row]) == [{"user_id": "alice", "about": "ring [phone]", "age": 30}]


def test_tables_and_rows_agree():
    frame = pl.DataFrame(ROWS).select("user_id", "session_id", "item_id", "event", "text", "timestamp")
    for settings in ({}, {"pseudonyms": True}, {"retention_days": 5.0}, {"redact": False}):
        table = door(**settings).events(Events(frame)).frame
        rows = door(**settings).rows(frame.rows(named=True))
        assert table.rows(named=True) == rows


def test_a_choice_holds_from_its_own_time():
    state = Consent().after_all(
        [{"user_id": "a", "event": "opt_out"}, {"user_id": "b", "event": "opt_out", "text": "use"}]
    )
    a, b, c = ({"user_id": user, "event": "view"} for user in "abc")
    assert [may(row, "store", state) for row in (a, b, c)] == [False, True, True]
    assert [may(row, "use", state) for row in (a, b, c)] == [False, False, True]
    back = state.after({"user_id": "a", "event": "opt_in"})
    assert may(a, "store", back)
    assert may(a, "use", back)
    assert not may(b, "use", back)
    assert may({"event": "view"}, "store", state)
    assert may({"user_id": "a", "event": "opt_out"}, "store", state)
    assert not may({"user_id": "a", "event": "opt_out"}, "use", state)
    assert state.after({"user_id": "c", "event": "view"}) is state


def test_retention_by_age():
    ts = np.array([0, 5 * DAY_MS, 10 * DAY_MS])
    assert kept(ts, now_ms=10 * DAY_MS, days=5).tolist() == [False, True, True]
    assert kept(ts, now_ms=10 * DAY_MS, days=0).tolist() == [True, True, True]
    assert oldest_kept(10 * DAY_MS, 1) == 9 * DAY_MS
