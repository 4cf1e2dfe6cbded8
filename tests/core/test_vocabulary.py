"""External ids and rows: every id keeps its row, whatever comes later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.vocabulary import Vocabulary

IDS = st.lists(st.text(max_size=3), max_size=30)


def test_rows_are_handed_out_in_the_order_of_first_sight():
    ids = Vocabulary(["b", "a", "b", "c"])
    assert list(ids) == ["b", "a", "c"]
    assert ids.add("a") == 1
    assert ids.add("new") == 3
    assert ids.rows(["c", "none", "b"]).tolist() == [2, -1, 0]
    assert ids.rows([]).dtype == np.int32
    assert "a" in ids
    assert 1 not in ids


def test_an_unknown_row_is_an_error_and_an_unknown_id_is_minus_one():
    ids = Vocabulary(["a"])
    assert ids.row_of("b") == -1
    for row in (-1, 1):
        with pytest.raises(IndexError, match=r"-1|range"):
            ids.id_of(row)


def test_a_copy_grows_alone():
    ids = Vocabulary(["a"])
    twin = ids.copy()
    twin.add("b")
    assert len(ids) == 1
    assert twin.ids() == ["a", "b"]


@given(first=IDS, later=IDS)
def test_growth_never_renumbers(first, later):
    ids = Vocabulary(first)
    before = {key: ids.row_of(key) for key in first}
    rows = ids.add_all(later)
    assert {key: ids.row_of(key) for key in first} == before
    assert ids.ids(rows) == later
    assert ids.ids(rows.tolist()) == later
    assert ids.rows(ids.ids()).tolist() == list(range(len(ids)))
    assert ids.ids() == list(dict.fromkeys([*first, *later]))
