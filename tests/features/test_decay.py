"""A decayed counter equals the sum of 2^(-(now - t) / h) over the whole log."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.features.decay import DecayedCounts

LIVES = (10.0, 300.0)
EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2000), st.sampled_from([0.5, 1.0, 2.0])), max_size=30
).map(lambda events: sorted(events, key=lambda event: event[1]))


def counted(events, *, blocks=1, reference=0):
    counts = DecayedCounts(LIVES, reference_ms=reference)
    size = max(-(-len(events) // blocks), 1)
    for begin in range(0, len(events), size):
        part = events[begin : begin + size]
        rows = np.array([row for row, _, _ in part], dtype=np.int32)
        weights = np.array([weight for _, _, weight in part], dtype=np.float32)
        counts.add(rows, np.array([ts for _, ts, _ in part]), weights)
    return counts


def slow(events, row, now):
    return [sum(w * 2 ** (-(now - ts) / life) for at, ts, w in events if at == row) for life in LIVES]


@given(events=EVENTS, blocks=st.integers(1, 30), later=st.integers(0, 500))
def test_counters_equal_the_whole_log_however_it_came_in(events, blocks, later):
    now = (events[-1][1] if events else 0) + later
    counts = counted(events, blocks=blocks)
    got = counts.at(np.arange(6, dtype=np.int32), np.full(6, now))
    np.testing.assert_allclose(got.T, [slow(events, row, now) for row in range(6)], rtol=1e-5, atol=1e-7)
    whole = [sum(slow(events, row, now)[h] for row in range(6)) for h in range(2)]
    np.testing.assert_allclose(counts.total(now), whole, rtol=1e-9, atol=1e-12)


@given(EVENTS)
def test_each_candidate_may_have_a_moment_of_its_own(events):
    end = events[-1][1] if events else 0
    rows, now = np.array([0, 1, 0], dtype=np.int32), np.array([end, end + 10, end + 300])
    got = counted(events).at(rows, now)
    want = [slow(events, row, at) for row, at in zip(rows.tolist(), now.tolist(), strict=True)]
    np.testing.assert_allclose(got.T, want, rtol=1e-5, atol=1e-7)


def test_ages_later_the_counters_neither_overflow_nor_forget_the_new():
    counts = counted([(0, 0, 1.0)])
    far = 1_000_000_000  # a hundred million of the shorter half-lives
    counts.add(np.array([1, 1], dtype=np.int32), np.array([far, far + 10]))
    got = counts.at(np.array([0, 1], dtype=np.int32), np.full(2, far + 10))
    np.testing.assert_allclose(got[0], [0, 1.5])
    assert np.isfinite(counts.values).all()
    assert counts.at(np.array([1], dtype=np.int32), np.array([10**15]))[0, 0] == 0


def test_times_long_before_the_reference_do_not_overflow():
    got = counted([(0, 0, 1.0)], reference=10**12).at(np.array([0], dtype=np.int32), np.array([10**12]))
    assert got.tolist() == [[0.0], [0.0]]


def test_rows_without_a_counter_are_zero():
    assert DecayedCounts(LIVES).at(np.array([3], dtype=np.int32), np.array([0])).tolist() == [[0.0], [0.0]]
    assert counted([(0, 0, 1.0)]).at(np.array([0, 9], dtype=np.int32), np.array([0, 0]))[0].tolist() == [1.0, 0.0]


def test_counters_survive_their_state_and_go_on():
    counts, twin = counted([(0, 0, 1.0), (2, 30, 2.0)]), DecayedCounts(LIVES)
    twin.load_state("x", counts.state("x"))
    for each in (counts, twin):
        each.add(np.array([2], dtype=np.int32), np.array([40]))
    rows, now = np.arange(4, dtype=np.int32), np.full(4, 50)
    assert (counts.at(rows, now) == twin.at(rows, now)).all()
    assert counts.n_rows == twin.n_rows == pytest.approx(3)
