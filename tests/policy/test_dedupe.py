import numpy as np

from inkling.core.candidates import Candidates
from inkling.core.query import History, Query
from inkling.policy import build
from inkling.policy.base import PolicyContext
from inkling.testing.policy import PolicyContract


class TestDedupeContract(PolicyContract):
    name = "dedupe"


def answer(rows, *, groups=None, settings=None):
    lists = [np.array(part, dtype=np.int32) for part in rows]
    offsets = np.cumsum([0, *map(len, lists)])
    flat = np.concatenate(lists)
    items = Candidates.of(offsets, flat, np.linspace(1, 0, len(flat), dtype=np.float32), source="s")
    query = Query(
        History.empty(len(rows)), np.zeros(len(rows), dtype=np.int64), 10, np.zeros(len(rows), dtype=np.int32)
    )
    context = PolicyContext(groups=None if groups is None else np.array(groups, dtype=np.int32))
    after = build("dedupe", settings, context).apply(query, items)
    return [after.rows_of(person).tolist() for person in range(len(after))]


def test_the_first_of_equal_items_stays():
    assert answer([[3, 1, 3, 2, 1], [3, 3]]) == [[3, 1, 2], [3]]


def test_the_first_of_a_group_stays_and_no_group_is_none():
    groups = [-1, 7, 7, 8, -1]
    assert answer([[2, 1, 0, 4, 3], [1, 3]], groups=groups) == [[2, 0, 4, 3], [1, 3]]


def test_several_of_a_group():
    groups = [5, 5, 5, 5]
    assert answer([[3, 2, 1, 0]], groups=groups, settings={"per_group": 2}) == [[3, 2]]
    assert answer([[3, 2, 1, 0]], groups=groups, settings={"per_group": 0}) == [[3, 2, 1, 0]]


def test_a_duplicate_does_not_use_up_its_group():
    assert answer([[3, 3, 2]], groups=[5, 5, 5, 5], settings={"per_group": 2}) == [[3, 2]]


def test_items_younger_than_the_groups_are_of_none():
    assert answer([[9, 8, 0, 1]], groups=[1, 1]) == [[9, 8, 0]]
