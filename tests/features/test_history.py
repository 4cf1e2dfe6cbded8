"""A history summed up equals what a loop finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.query import History
from inkling.features.history import HALF_LIFE_MS, HistorySummary

DAY = 86_400_000
NOW = 60 * DAY
N_ITEMS = 5
EVENT = st.tuples(st.integers(0, N_ITEMS - 1), st.integers(0, 3), st.booleans(), st.booleans())
PEOPLE = st.lists(st.lists(EVENT, max_size=8), min_size=1, max_size=4)  # (item, days since, positive, new session)


def history_of(people):
    flat, sessions, times = [event for one in people for event in one], [], []
    for one in people:
        sessions += np.cumsum([0, *(int(new) for _, _, _, new in one[1:])])[: len(one)].tolist()
        times += (DAY * np.cumsum([passed for _, passed, _, _ in one])).tolist()
    n = len(flat)
    return History(
        offsets=np.concatenate([[0], np.cumsum([len(one) for one in people])]).astype(np.int64),
        item_rows=np.array([item for item, _, _, _ in flat], dtype=np.int32),
        ts=np.array(times, dtype=np.int64),
        weights=np.array([float(positive) for _, _, positive, _ in flat], dtype=np.float32),
        events=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        session_rows=np.array(sessions, dtype=np.int32),
    )


@given(PEOPLE)
def test_a_summary_is_what_a_loop_finds(people):
    history = history_of(people)
    now = np.full(len(people), NOW, dtype=np.int64)
    summary = HistorySummary.of(history, N_ITEMS, now)
    for person in range(len(people)):
        span = slice(history.offsets[person], history.offsets[person + 1])
        events = list(
            zip(
                history.item_rows[span].tolist(),
                history.ts[span].tolist(),
                history.session_rows[span].tolist(),
                (history.weights[span] > 0).tolist(),
                strict=True,
            )
        )
        liked = [(item, ts, session) for item, ts, session, positive in events if positive]
        assert summary.n_events[person] == len(liked)
        assert summary.n_sessions[person] == len({session for _, _, session in liked})
        if liked:
            assert (summary.person_first_ts[person], summary.person_last_ts[person]) == (liked[0][1], liked[-1][1])
        wanted = np.arange(N_ITEMS, dtype=np.int32)
        at, hit = summary.find(np.full(N_ITEMS, person), wanted)
        assert summary.seen(np.full(N_ITEMS, person), wanted).tolist() == [
            any(item == row for item, _, _, _ in events) for row in range(N_ITEMS)
        ]
        for row in range(N_ITEMS):
            own = [(ts, session) for item, ts, session in liked if item == row]
            assert hit[row] == bool(own)
            if own:
                got = (summary.counts, summary.sessions, summary.first_ts, summary.last_ts, summary.back)
                assert [column[at[row]] for column in got] == [
                    len(own),
                    len({session for _, session in own}),
                    own[0][0],
                    own[-1][0],
                    max(session for _, _, session in liked) - own[-1][1],
                ]
                faded = sum(0.5 ** ((NOW - ts) / HALF_LIFE_MS) for ts, _ in own)
                assert summary.faded[at[row]] == pytest.approx(faded, rel=1e-5)


def test_nobody_and_nothing():
    summary = HistorySummary.of(History.empty(2), 0, np.zeros(2, dtype=np.int64))
    assert summary.n_events.tolist() == [0, 0]
    assert not summary.find(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))[1].any()
