"""Counts that hear of events late, against counting everything again."""

import numpy as np
import pytest

from inkling.retrieval._counts import CountLog, Fading

HALF_LIFE, N_ITEMS = 50.0, 6


def brute(events, now, *, once):
    counts, best = np.zeros(N_ITEMS), {}
    for ts, item, person, weight in events:
        value = weight * 2.0 ** ((ts - now) / HALF_LIFE)
        if once and person >= 0:
            best[person, item] = max(best.get((person, item), 0.0), value)
        else:
            counts[item] += value
    for (_, item), value in best.items():
        counts[item] += value
    return counts


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_late_events_count_as_if_they_had_come_in_time(seed, once):
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.integers(0, 100, 40))
    items, people, weights = rng.integers(0, N_ITEMS, 40), rng.integers(-1, 6, 40), rng.random(40)
    log = CountLog(Fading(HALF_LIFE, np.inf, once))
    log.fill(ts.astype(np.int64), items.astype(np.int32), people.astype(np.int32), weights)
    events = list(zip(ts.tolist(), items.tolist(), people.tolist(), weights.tolist(), strict=True))
    now = 100
    for _ in range(100):
        now += int(rng.integers(0, 2))
        late = int(rng.integers(0, 60)) * int(rng.random() < 0.5)
        event = (now - late, int(rng.integers(0, N_ITEMS)), int(rng.integers(-1, 6)), float(rng.random()))
        log.add(*event)
        events.append(event)
    assert np.allclose(log.counts(now, N_ITEMS), brute(events, now, once=once))


def test_a_moment_thousands_of_half_lives_ago_is_an_answer():
    log = CountLog(Fading(1.0, np.inf, once=False))
    rows = np.array([0, 1], dtype=np.int32)
    log.fill(np.array([0, 5000]), rows, rows, np.ones(2))
    assert log.counts(100, 2).tolist() == [0.0, 0.0]
    assert log.counts(5000, 2).tolist() == [0.0, 1.0]
