from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.policy import POLICIES, build
from inkling.policy.base import PolicyContext
from inkling.testing.policy import PolicyContract

DAY = 86_400_000


class TestSeenContract(PolicyContract):
    name = "seen"


def ask(now_day=30):
    """Two people: the first had 1 (day 0) and 2 (day 28), the second had 3 (day 29)."""
    history = History.of_items(Jagged.from_lists([[1, 2], [3]]), ts=np.array([0, 28 * DAY, 29 * DAY]))
    query = Query(history, np.full(2, now_day * DAY), 10, np.array([0, 1], dtype=np.int32))
    items = Candidates.of(
        np.array([0, 4, 8]), np.array([1, 2, 3, 4] * 2, dtype=np.int32), np.ones(8, dtype=np.float32), source="s"
    )
    return query, items


def answer(settings, query, items, context=None):
    after = build("seen", settings, context).apply(query, items)
    return [after.rows_of(person).tolist() for person in range(len(after))]


def test_the_whole_history_goes():
    assert answer({}, *ask()) == [[3, 4], [1, 2, 4]]


def test_repeats_may_come():
    assert answer({"repeats": True}, *ask()) == [[1, 2, 3, 4]] * 2


def test_repeats_may_come_after_a_while():
    assert answer({"repeats": True, "after_days": 7}, *ask()) == [[1, 3, 4], [1, 2, 4]]
    assert answer({"repeats": True, "after_days": 7}, *ask(now_day=60)) == [[1, 2, 3, 4]] * 2


def test_a_day_is_as_long_as_the_context_says():
    slow = PolicyContext(day=DAY * 100)
    assert answer({"repeats": True, "after_days": 1}, *ask(), context=slow) == [[3, 4], [1, 2, 4]]


def test_events_without_weight_count_unless_told_otherwise():
    query, items = ask()
    looked = replace(query, history=replace(query.history, weights=np.array([1, 0, 1], dtype=np.float32)))
    assert answer({}, looked, items) == [[3, 4], [1, 2, 4]]
    assert answer({"positive_only": True}, looked, items) == [[2, 3, 4], [1, 2, 4]]


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"policy.seen: unknown key 'repeat'.*Did you mean 'repeats'"):
        build("seen", {"repeat": True})
    with pytest.raises(ConfigError, match="after_days"):
        build("seen", {"after_days": -1})


def test_the_folder_is_the_catalogue():
    assert {"seen", "dedupe", "diversify", "rules"} <= set(POLICIES.names())
    assert all(POLICIES.get(name).name == name for name in POLICIES.names())
