"""Profiles that are made up, in a world where it is known whose they are."""

import numpy as np
import polars as pl
import pytest

from inkling.core.scenario import Cleaning, Scenario
from inkling.core.tables import Events
from inkling.events.clean import clean_part
from inkling.events.profiles import suspicion, without_made_up
from inkling.testing import worlds
from inkling.testing.worlds import Happening

N_ITEMS, N_REAL, N_FAKE = 60, 120, 8
TARGET = 59


def shop(*, target=True, seed=0):
    """Real people take one shelf of ten items; made-up ones take anything, and the last item."""
    rng = np.random.default_rng(seed)
    lists = [rng.choice(10, 6, replace=False) + 10 * (user % 5) for user in range(N_REAL)]
    for _ in range(N_FAKE):
        anything = rng.choice(50, 6, replace=False)
        lists.append(np.append(anything, TARGET) if target else anything)
    people = np.repeat(np.arange(len(lists)), [len(one) for one in lists]).astype(np.int32)
    return people, np.concatenate(lists).astype(np.int32)


def test_those_who_gather_around_an_item_are_found_and_nobody_else():
    found = suspicion(*shop())
    assert found.pushed.tolist() == [TARGET]
    assert found.user_rows[found.made_up].tolist() == list(range(N_REAL, N_REAL + N_FAKE))


def test_a_strange_profile_alone_is_no_crime():
    found = suspicion(*shop(target=False))
    strangest = np.argsort(found.coherence)[:N_FAKE]
    assert set(found.user_rows[strangest]) == set(range(N_REAL, N_REAL + N_FAKE))
    assert not found.made_up.any()


def test_coherence_is_the_mean_lift_of_pairs_as_others_have_them():
    people = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], dtype=np.int32)
    items = np.array([0, 1, 2, 0, 1, 3, 0, 1, 4, 5, 6, 7], dtype=np.int32)
    found = suspicion(people, items)

    def slow(person):
        lists = [set(items[people == other]) for other in range(4)]
        own, rest = sorted(lists[person]), [one for other, one in enumerate(lists) if other != person]
        lifts = []
        for a in own:
            for b in own:
                if a != b:
                    both = sum({a, b} <= one for one in rest)
                    count_a, count_b = (sum(item in one for one in rest) for item in (a, b))
                    lifts.append(np.log(both + 0.1) - np.log(count_a * count_b / 4 + 0.1))
        return np.mean(lifts)

    assert found.coherence.tolist() == pytest.approx([slow(person) for person in range(4)])


def test_too_small_and_too_large_profiles_are_not_judged():
    people, items = shop()
    small = people >= 3
    assert suspicion(people[small], items[small]).user_rows.min() == 3
    assert len(suspicion(people[:2], items[:2]).user_rows) == 0
    assert len(suspicion(people[:0], items[:0]).made_up) == 0
    whale = np.full(501, 999, dtype=np.int32), np.arange(501, dtype=np.int32)
    both = suspicion(np.concatenate([people, whale[0]]), np.concatenate([items, whale[1]]))
    assert 999 not in both.user_rows


def test_a_data_set_without_them():
    people, items = shop()
    happenings = [Happening(int(u), int(i), n / 100) for n, (u, i) in enumerate(zip(people, items, strict=True))]
    data = worlds.dataset(happenings, shape=(N_REAL + N_FAKE, N_ITEMS))
    cleaned = without_made_up(data)
    assert cleaned.interactions.user_rows.tolist() == people[people < N_REAL].tolist()
    assert without_made_up(cleaned) is cleaned


def test_the_rule_of_cleaning_is_counted_and_off_by_default():
    people, items = shop()
    columns = {"user_id": [f"u{u}" for u in people], "item_id": [f"i{i}" for i in items]}
    more = {"timestamp": range(len(people)), "event": "interaction", "value": None}
    frame = pl.DataFrame(columns).with_columns(pl.Series("timestamp", more["timestamp"]), event=pl.lit("interaction"))
    frame = frame.with_columns(value=pl.lit(None, dtype=pl.Float32))
    kept, report = clean_part(Events(frame), Scenario(cleaning=Cleaning(made_up_profiles=True, duplicates=False)))
    assert set(kept.frame["user_id"]) == {f"u{u}" for u in range(N_REAL)}
    assert report.removed("made_up_profiles") == 7 * N_FAKE
    assert len(clean_part(Events(frame), Scenario())[0]) == len(people)
