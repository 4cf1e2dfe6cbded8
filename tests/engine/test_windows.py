"""Windows of the past, by hand: what was known before a moment, and what people took after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine import windows as module
from inkling.engine.windows import windows
from inkling.testing.worlds import DAY_MS, START_MS, Happening, dataset


def day_of(ts):
    return (ts - START_MS) / DAY_MS


def shopping(n_days=100, n_users=10, **scenario):
    """Person d mod 10 takes item d mod 7 on day d."""
    rows = [Happening(day % n_users, day % 7, day) for day in range(n_days)]
    return dataset(rows, shape=(n_users, 8), scenario=Scenario(**{"seen": "keep", **scenario}))


def test_a_cut_lies_at_nine_tenths_of_the_positive_events():
    newest, older = windows(shopping(), 2, Run())
    assert day_of(newest.train.until) == 90  # the 91st of 100 events: all after it are the window
    assert newest.train.interactions.ts.max() == newest.train.until
    assert newest.user_rows.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [newest.targets[i].tolist() for i in range(9)] == [[day % 7] for day in range(91, 100)]
    assert day_of(older.train.until) == 81  # nine tenths of the 91 events up to day 90
    assert older.user_rows.tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert older.targets[0].tolist() == [90 % 7]


def test_windows_do_not_overlap_and_end_when_there_is_too_little():
    found = windows(shopping(), 99, Run())
    cuts = [window.train.until for window in found]
    assert 3 <= len(found) < 20
    assert cuts == sorted(cuts, reverse=True)
    assert windows(shopping(19), 2, Run()) == []
    assert windows(dataset([], shape=(2, 2)), 2, Run()) == []


def test_what_is_not_positive_is_known_but_never_a_target():
    data = shopping()
    looked = replace(data.interactions, positive=data.interactions.item_rows != 0)
    (window,) = windows(replace(data, interactions=looked), 1, Run())
    assert 0 not in window.targets.values
    assert 0 in window.train.interactions.item_rows


def test_items_that_came_later_cannot_be_found():
    data = shopping()
    late = data.interactions.item_rows.copy()
    late[-3:] = 7  # first seen on day 97
    bare = replace(data.items, frame=data.items.frame.select("item_id"))
    data = replace(data, interactions=replace(data.interactions, item_rows=late), items=bare)
    (window,) = windows(data, 1, Run())
    assert 7 not in window.targets.values
    assert window.user_rows.tolist() == [1, 2, 3, 4, 5, 6]
    assert not window.train.known_items[7]


def test_what_a_person_had_is_no_target_where_it_is_not_shown_again():
    rows = [Happening(n % 10, n // 10 % 5, n) for n in range(100)]  # everyone has had the items 0 to 4
    rows += [Happening(4, 5, 1.5)] + [Happening(n, 2 if n == 3 else 5, 101 + n) for n in range(10)]
    kept, dropped = (
        windows(dataset(rows, shape=(10, 6), scenario=Scenario(seen=seen)), 1, Run())[0] for seen in ("keep", "drop")
    )
    assert day_of(kept.train.until) == day_of(dropped.train.until) == 98
    assert kept.user_rows.tolist() == list(range(10))
    assert kept.targets[9].tolist() == [4, 5]
    assert dropped.user_rows.tolist() == [0, 1, 2, 5, 6, 7, 8, 9]
    assert dropped.targets.values.tolist() == [5] * 8


def test_without_times_each_persons_last_one_is_held():
    rows = [Happening(user, (user + step) % 8, step * 10 + user) for user in range(6) for step in range(4)]
    rows += [Happening(6, 1, 3), Happening(6, 2, 4)]  # two events are too few to hold one back
    (window,) = windows(dataset(rows, shape=(7, 8), scenario=Scenario(time="order", seen="keep")), 3, Run())
    assert window.user_rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert [window.targets[user].tolist() for user in range(6)] == [[(user + 3) % 8] for user in range(6)]
    assert len(window.train.interactions) == len(rows) - 6


def test_without_any_order_a_random_tenth_is_held_the_same_for_a_seed():
    data = shopping(400, 20, time="none")
    (one,), (same,), (other,) = (windows(data, 1, Run(seed=seed)) for seed in (1, 1, 2))
    n_held = 400 - len(one.train.interactions)
    assert 20 <= n_held <= 60
    assert one.targets.values.tolist() == same.targets.values.tolist()
    assert one.targets.values.tolist() != other.targets.values.tolist()


def test_many_people_are_sampled(monkeypatch):
    monkeypatch.setattr(module, "MAX_PEOPLE", 2)
    monkeypatch.setattr(module, "MAX_TARGETS", 6)  # one target each: six people
    (window,) = windows(shopping(), 1, Run())
    assert len(window.user_rows) == len(window.targets) == 6
    assert (np.diff(window.user_rows) > 0).all()
    assert [window.targets[i].tolist() for i in range(6)] == [[(90 + user) % 7] for user in window.user_rows.tolist()]
