from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import ProtocolError
from inkling.core.jagged import Jagged
from inkling.protocol.fold import Fold, restricted
from inkling.protocol.slices import MOST, sliced
from inkling.testing.logs import events, folds_of, people, scenario
from inkling.testing.worlds import Happening, dataset

MONDAY = 1_700_438_400_000  # 2023-11-20, midnight
DAY = 86_400_000


def made(happenings, targets, countries):
    data = dataset(happenings, shape=(len(targets), 5), countries=countries)
    lists = Jagged.from_lists([np.array(one, dtype=np.int32) for one in targets])
    everyone = restricted(lists, np.ones(len(lists.values), dtype=np.bool_))
    fold = Fold(
        name="x",
        train=data,
        user_rows=np.arange(len(targets), dtype=np.int32),
        history=data.interactions.select(np.zeros(len(data.interactions), dtype=np.bool_)),
        targets=lists,
        groups={"warm": everyone},
        candidates=np.ones(5, dtype=np.bool_),
        now=np.zeros(len(targets), dtype=np.int64),
        cut=0,
        seen="keep",
    )
    return fold, data.interactions


def test_a_target_is_of_the_context_it_was_taken_in():
    fold, events = made(
        [Happening(0, 1, 1), Happening(0, 2, 2), Happening(1, 3, 3)], [[1, 2], [3]], {0: "France", 1: "Spain"}
    )
    spanish = np.array([0, 1, 1], dtype=np.int32)  # the first person's second purchase was made in Spain
    events = replace(events, context={"country": spanish})
    groups = sliced(fold, events, ["country"]).groups
    assert list(groups) == ["warm", "country=France", "country=Spain"]
    assert groups["country=France"].people.tolist() == [0]
    assert groups["country=France"].targets.values.tolist() == [1]
    assert groups["country=Spain"].people.tolist() == [0, 1]
    assert groups["country=Spain"].targets.values.tolist() == [2, 3]


def test_hours_and_weekdays_come_from_the_clock_and_the_newest_event_counts():
    fold, events = made([Happening(0, 1, 1), Happening(0, 1, 2), Happening(1, 2, 3)], [[1], [2]], {})
    hour = 3_600_000
    events = replace(events, ts=np.array([MONDAY, MONDAY + 31 * hour, MONDAY + 60 * hour]))
    groups = sliced(fold, events, ["hour", "weekday"]).groups
    assert [(name, group.people.tolist()) for name, group in groups.items() if name != "warm"] == [
        ("hour=06-12", [0]),
        ("hour=12-18", [1]),
        ("weekday=tue", [0]),
        ("weekday=wed", [1]),
    ]


def test_rare_values_share_a_group_and_the_unknown_have_none():
    n = MOST + 3
    happenings = [Happening(user, 1, user) for user in range(n)] + [Happening(0, 2, 50)]
    fold, events = made(happenings, [[1]] * n, {user: f"c{user:02d}" for user in range(n - 1)})
    groups = sliced(fold, events, ["country"]).groups
    assert len(groups) == 1 + MOST + 1
    assert groups["country=other"].people.tolist() == [MOST, MOST + 1]
    assert not any(n - 1 in group.people for name, group in groups.items() if name != "warm")


def test_targets_without_an_event_are_in_no_slice():
    fold, events = made([Happening(0, 1, 1)], [[4]], {0: "France"})
    assert list(sliced(fold, events, ["country"]).groups) == ["warm"]
    nothing = replace(events.select(np.zeros(1, dtype=np.bool_)))
    assert list(sliced(fold, nothing, ["country"]).groups) == ["warm"]


def test_a_context_that_is_not_there_is_named():
    fold, events = made([Happening(0, 1, 1)], [[1]], {0: "France"})
    with pytest.raises(ProtocolError, match=r"no context 'contry'.*Did you mean 'country'"):
        sliced(fold, events, ["contry"])


def test_a_split_is_sliced_where_that_is_asked_for():
    rows = [("a", "x", MONDAY), ("b", "x", MONDAY + 1), ("a", "y", MONDAY + 2 * DAY), ("b", "y", MONDAY + 3 * DAY)]
    log = events(rows, **{"context.device": ["phone", "desk", "desk", "phone"]})
    own = scenario(context=("device",))
    (plain,) = folds_of(log, own=own, split="time", cuts=(0.25,))
    (fold,) = folds_of(log, own=own, split="time", cuts=(0.25,), slices=("device", "weekday"))
    new = [name for name in fold.groups if name not in plain.groups]
    assert new == ["device=desk", "device=phone", "weekday=wed", "weekday=thu"]
    assert [people(fold, name) for name in new] == ["a", "b", "a", "b"]
