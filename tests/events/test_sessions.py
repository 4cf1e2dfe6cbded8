import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from inkling.events.sessions import gap_sessions, session_rows


def frame(ts, sessions=None):
    columns = {"timestamp": ts}
    if sessions is not None:
        columns["session_id"] = pl.Series(sessions, dtype=pl.String)
    return pl.DataFrame(columns)


def test_a_long_pause_begins_a_session():
    users = np.array([0, 1, 0, 0, 1], dtype=np.int32)
    ts = np.array([0, 5, 10, 21, 100])
    assert gap_sessions(users, ts, gap_ms=10).tolist() == [0, 2, 0, 1, 3]


def test_no_event_no_session():
    assert gap_sessions(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64), gap_ms=1).tolist() == []


def slowly(users, ts, gap):
    last, current, out, n = {}, {}, [], 0
    for user, time in zip(users, ts, strict=True):
        if user not in last or time - last[user] > gap:
            current[user], n = n, n + 1
        last[user] = time
        out.append(current[user])
    return out


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=30), st.integers(0, 10))
def test_the_same_partition_as_the_slow_twin(events, gap):
    events = sorted(events, key=lambda event: event[1])
    users = np.array([user for user, _ in events], dtype=np.int32)
    ts = np.array([time for _, time in events], dtype=np.int64)
    pairs = set(zip(gap_sessions(users, ts, gap_ms=gap).tolist(), slowly(users, ts, gap), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_ids_are_taken_where_they_are_and_belong_to_one_person():
    users = np.array([0, 1, 0, 0], dtype=np.int32)
    out = session_rows(frame([0, 0, 1, 2], ["a", "a", "a", None]), users, time="real", gap_s=1)
    assert out[0] == out[2]
    assert len({out[0], out[1], out[3]}) == 3


def test_without_ids_and_times_a_session_is_unknown():
    users = np.array([0, 0], dtype=np.int32)
    assert session_rows(frame([0, 1]), users, time="order", gap_s=1).tolist() == [-1, -1]
    assert session_rows(frame([0, 1], ["a", None]), users, time="none", gap_s=1).tolist() == [0, -1]
