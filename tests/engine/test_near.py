"""Nearness to what a person took last."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.engine.near import NAMES, near_fields

VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], dtype=np.float32)


def ask(*histories):
    n = len(histories)
    return Query(History.of_items(Jagged.from_lists(histories)), np.zeros(n, np.int64), 6, np.arange(n, dtype=np.int32))


def candidates(*lists):
    made = Jagged.from_lists(lists)
    return Candidates.of(made.offsets, made.values, np.zeros(len(made.values), np.float32), source="x")


def test_cosines_with_the_last_the_recent_and_the_nearest():
    found = near_fields(VECTORS, ask([0, 1]), candidates([0, 2, 3, 5]))
    length = np.hypot(1, 0.7)  # the last is [0, 1], before it [1, 0] at .7
    assert found.fields["near_last"].tolist() == pytest.approx([0, 0.8, 0, np.nan], nan_ok=True)
    assert found.fields["near_recent"].tolist() == pytest.approx(
        [0.7 / length, (0.8 + 0.7 * 0.6) / length, 0, np.nan], nan_ok=True
    )
    assert found.fields["near_best"].tolist() == pytest.approx([1, 0.8, 0, np.nan], nan_ok=True)


def test_people_do_not_mix_and_nobody_is_unknown():
    both = near_fields(VECTORS, ask([0], []), candidates([0, 1], [0]))
    alone = near_fields(VECTORS, ask([0]), candidates([0, 1]))
    for name in NAMES:
        assert both.fields[name][:2].tolist() == alone.fields[name].tolist()
        assert np.isnan(both.fields[name][2])


def test_only_what_is_read_is_computed():
    items = candidates([0])
    assert near_fields(VECTORS, ask([1]), items, wanted=frozenset({"own_count"})) is items
    assert near_fields(np.zeros((0, 0), np.float32), ask([1]), items) is items
    assert set(near_fields(VECTORS, ask([1]), items, wanted=frozenset({"near_best"})).fields) == set(NAMES)


def test_only_the_last_five_positives_are_looked_at():
    long = near_fields(VECTORS, ask([0, 1, 1, 1, 1, 1]), candidates([0]))
    assert long.fields["near_best"].tolist() == [0]
