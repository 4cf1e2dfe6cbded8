from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.dataset import Interactions
from inkling.core.errors import StoreError
from inkling.stores.rings import EventRings, LiveEvent

FIELDS = ("offsets", "item_rows", "ts", "weights", "events", "values", "session_rows")


def rows(*numbers):
    return np.array(numbers, dtype=np.int32)


def same(left, right):
    for name in FIELDS:
        mine, theirs = getattr(left, name), getattr(right, name)
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_array_equal(mine, theirs, err_msg=name)


def table(n, n_users, *, seed=0, sessions=True):
    rng = np.random.default_rng(seed)
    return Interactions(
        user_rows=rng.integers(0, n_users, n).astype(np.int32),
        item_rows=rng.integers(0, 50, n).astype(np.int32),
        ts=np.sort(rng.integers(0, 10**9, n)),
        weights=rng.random(n).astype(np.float32),
        positive=np.ones(n, dtype=np.bool_),
        events=rng.integers(0, 3, n).astype(np.int16),
        values=np.where(rng.random(n) < 0.5, np.nan, rng.random(n)).astype(np.float32),
        session_rows=rng.integers(0, 4, n).astype(np.int32) if sessions else np.full(n, -1, dtype=np.int32),
        event_names=("a", "b", "c"),
    )


def one_by_one(events, rings):
    for i in range(len(events)):
        values = (events.item_rows, events.ts, events.weights, events.events, events.values, events.session_rows)
        rings.append(int(events.user_rows[i]), LiveEvent(*(column[i].item() for column in values)))


@pytest.mark.parametrize("capacity", [1, 3, 7, 500])
@pytest.mark.parametrize("limit", [0, 1, 5])
def test_bulk_single_and_the_table_agree(capacity, limit):
    events = table(600, 20)
    bulk, single = EventRings(capacity=capacity), EventRings(capacity=capacity)
    bulk.load(events)
    one_by_one(events, single)
    people = rows(3, 19, 25, -1, 0, 3)
    expected = events.histories(people, max_events=min(limit or capacity, capacity))
    same(bulk.history(people, limit=limit), expected)
    same(single.history(people, limit=limit), expected)
    for b, person in enumerate(people):
        same(single.history(rows(person), limit=limit), expected.take([b]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(-1, 2)), max_size=60),
    st.integers(1, 12),
    st.sampled_from([0, 3]),
)
def test_any_order_of_arrival_equals_the_sorted_story(stream, capacity, gap_ms):
    rings = EventRings(capacity=capacity, session_gap_ms=gap_ms)
    story = {person: [] for person in range(4)}
    for i, (person, ts, session) in enumerate(stream):
        rings.append(person, LiveEvent(i, ts, session=session))
        most = capacity + max(1, capacity // 4)
        story[person].append((ts, i, session))
        story[person].sort(key=lambda e: e[0])
        if len(story[person]) > most:
            story[person] = story[person][-most:]
    for person, events in story.items():
        kept = events[-capacity:]
        found = rings.history(rows(person))
        if len(events) < capacity:
            assert found.item_rows.tolist() == [i for _, i, _ in kept]
            assert found.session_rows.tolist() == sessions_of(kept, gap_ms)
        assert found.ts.tolist() == sorted(found.ts.tolist())
        assert rings.n_events(person) == sum(1 for p, _, _ in stream if p == person)


def sessions_of(events, gap_ms):
    numbers = []
    for before, now in zip([None, *events], events, strict=False):
        if before is None:
            numbers.append(0)
            continue
        near = gap_ms > 0 and now[0] - before[0] <= gap_ms
        same_session = now[2] == before[2] and (now[2] != -1 or near)
        numbers.append(numbers[-1] + (not same_session))
    return numbers


def test_a_late_event_is_put_where_its_time_belongs():
    rings = EventRings(session_gap_ms=10)
    for item, ts in ((1, 100), (2, 200), (3, 150), (4, 150), (5, 50)):
        rings.append(0, LiveEvent(item, ts))
    found = rings.history(rows(0))
    assert found.item_rows.tolist() == [5, 1, 3, 4, 2]
    assert found.session_rows.tolist() == [0, 1, 2, 2, 3]


def test_live_sessions_never_join_loaded_ones():
    events = table(1, 1)
    rings = EventRings()
    rings.load(events)
    rings.append(0, LiveEvent(1, int(events.ts[0]) + 1, session=int(events.session_rows[0])))
    assert rings.history(rows(0)).session_rows.tolist() == [0, 1]


def test_a_live_event_goes_on_the_sitting_that_was_loaded():
    events = table(1, 1)
    rings = EventRings(session_gap_ms=100)
    rings.load(events)
    for pause in (100, 200, 301):
        rings.append(0, LiveEvent(1, int(events.ts[0]) + pause))
    assert rings.history(rows(0)).session_rows.tolist() == [0, 0, 0, 1]


def test_memory_follows_use():
    rings = EventRings(capacity=500)
    for person in range(2000):
        rings.append(person, LiveEvent(1, 1))
    assert rings.n_bytes < 2000 * 4 * 30 * 2 + 2000 * 32 * 2
    for i in range(10_000):
        rings.append(0, LiveEvent(i, i))
    found = rings.history(rows(0))
    assert found.item_rows.tolist() == list(range(9500, 10_000))
    assert rings.n_events(0) == 10_001
    assert rings.n_bytes < 800_000


def test_old_segments_are_used_again():
    rings = EventRings(capacity=8)
    for _ in range(1000):
        for i in range(3):
            rings.append(0, LiveEvent(i, i))
        rings.forget(0)
    assert rings._end <= 8


def test_take_back_removes_the_latest_earlier_one():
    rings = EventRings()
    for item, ts, event, value in ((7, 10, 0, 2), (7, 20, 0, 3), (7, 25, 1, 1), (8, 26, 0, 1), (7, 90, 0, 1)):
        rings.append(0, LiveEvent(item, ts, 1.0, event, value))
    assert rings.take_back(0, LiveEvent(7, 50, event=0, value=-3))
    assert rings.history(rows(0)).ts.tolist() == [10, 25, 26, 90]
    assert rings.n_events(0) == 4
    assert rings.take_back(0, LiveEvent(7, 50, event=0, value=-0.5))
    assert rings.history(rows(0)).values.tolist() == [1.5, 1, 1, 1]
    assert rings.take_back(0, LiveEvent(7, 50, event=0))
    assert not rings.take_back(0, LiveEvent(7, 50, event=0))
    assert not rings.take_back(5000, LiveEvent(7, 50, event=0))
    assert not rings.take_back(-1, LiveEvent(7, 50, event=0))


def test_merge_is_in_the_order_of_time():
    rings = EventRings(capacity=4)
    for i in range(3):
        rings.append(0, LiveEvent(i, 10 * i))
        rings.append(5, LiveEvent(100 + i, 10 * i + 5))
    rings.merge(0, 5)
    assert rings.history(rows(0)).item_rows.tolist() == [1, 101, 2, 102]
    assert rings.n_events(0) == 6
    assert len(rings.history(rows(5)).item_rows) == 0
    rings.append(0, LiveEvent(9, 99))
    assert rings.history(rows(0)).item_rows.tolist() == [101, 2, 102, 9]
    for nobody in (-1, 10_000, 0):
        rings.merge(0, nobody)
    assert rings.n_events(0) == 7


def test_merge_into_somebody_new():
    rings = EventRings()
    rings.append(0, LiveEvent(1, 1))
    rings.merge(500, 0)
    assert rings.history(rows(500)).item_rows.tolist() == [1]


def test_forget_wipes_the_memory():
    rings = EventRings()
    for i in range(10):
        rings.append(3, LiveEvent(123_456, i))
    assert rings.forget(3) == 10
    assert rings.n_events(3) == 0
    assert len(rings.history(rows(3)).item_rows) == 0
    assert not (rings._columns[0] == 123_456).any()
    assert (rings.forget(3), rings.forget(-1), rings.forget(10_000)) == (0, 0, 0)


def test_a_history_does_not_change_under_its_reader():
    rings = EventRings(capacity=2)
    rings.append(0, LiveEvent(1, 1))
    found = rings.history(rows(0))
    for i in range(2, 50):
        rings.append(0, LiveEvent(i, i))
    assert found.item_rows.tolist() == [1]


def test_loading_comes_first():
    rings = EventRings()
    rings.append(0, LiveEvent(1, 1))
    with pytest.raises(StoreError, match="loaded first"):
        rings.load(table(5, 2))


def test_an_empty_table():
    rings = EventRings()
    rings.load(table(5, 2).select(np.empty(0, dtype=np.int64)))
    assert len(rings.history(rows(0, 1))) == 2
    assert len(rings.history(rows()).item_rows) == 0


def test_readers_never_see_half_an_event():
    rings = EventRings(capacity=20)
    torn = []

    def write():
        for i in range(4000):
            late = i - 7 if i % 5 == 0 else i
            rings.append(i % 3, LiveEvent(late, late, float(late % 1000), 0, float(late % 1000)))

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        for found in (rings.history(rows(0)), rings.history(rows(0, 1, 2))):
            agree = (found.item_rows == found.ts) & (found.weights == found.ts % 1000) & (found.values == found.weights)
            ordered = all(
                (np.diff(found.ts[a:b]) >= 0).all() for a, b in zip(found.offsets, found.offsets[1:], strict=False)
            )
            if not (agree.all() and ordered):
                torn.append(found)
    writer.join()
    assert torn == []
