"""Candidates: columns stay together, lists stay apart, batch equals single."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.candidates import Candidates

PEOPLE = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=6), min_size=1, max_size=4
)  # (item row, score) by person; few scores, so that there are ties


def made(people):
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in people])]).astype(np.int64)
    flat = [pair for one in people for pair in one]
    rows = np.array([row for row, _ in flat], dtype=np.int32)
    sources = (rows % 2).astype(np.int8)
    scores = np.array([score for _, score in flat], dtype=np.float32)
    return Candidates(offsets, rows, scores, sources, ("even", "odd"), {"place": np.arange(len(rows))})


def lists(candidates):
    return [
        list(zip(candidates.rows_of(p).tolist(), candidates.scores_of(p).tolist(), strict=True))
        for p in range(len(candidates))
    ]


@given(PEOPLE)
def test_new_scores_sort_each_list_and_ties_keep_their_order(people):
    items = made(people).with_scores(np.array([s for one in people for _, s in one], dtype=np.float32))
    assert lists(items) == [sorted(one, key=lambda pair: -pair[1]) for one in people]  # sorted() is stable
    before = made(people)
    assert (items.item_rows == before.item_rows[items.fields["place"]]).all()
    assert (items.sources == items.item_rows % 2).all()


@given(people=PEOPLE, k=st.integers(-1, 8))
def test_top_is_the_head_of_each_list(people, k):
    assert lists(made(people).top(k)) == [one[: max(k, 0)] for one in people]


@given(people=PEOPLE, data=st.data())
def test_keep_leaves_out_what_is_masked(people, data):
    n = sum(len(one) for one in people)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=np.bool_)
    kept = made(people).keep(mask)
    flags = iter(mask.tolist())
    assert lists(kept) == [[pair for pair in one if next(flags)] for one in people]
    assert kept.fields["place"].tolist() == np.flatnonzero(mask).tolist()


@given(people=PEOPLE, k=st.integers(0, 4))
def test_one_person_alone_has_what_they_have_in_a_batch(people, k):
    scores = np.array([s for one in people for _, s in one], dtype=np.float32)
    together = lists(made(people).with_scores(scores).top(k))
    for one, batch in zip(people, together, strict=True):
        own = np.array([s for _, s in one], dtype=np.float32)
        assert lists(made([one]).with_scores(own).top(k)) == [batch]


def test_names_of_sources_and_columns():
    items = made([[(4, 1), (3, 1)], [(2, 0)]])
    assert [items.source_of(i) for i in range(3)] == ["even", "odd", "even"]
    assert items.segment_rows.tolist() == [0, 0, 1]
    more = items.with_fields({"x": np.array([7, 8, 9])})
    assert set(more.fields) == {"place", "x"}
    assert set(items.fields) == {"place"}
    assert more.top(1).fields["x"].tolist() == [7, 9]


def test_empty_candidates_have_empty_lists():
    none = Candidates.empty(3, source="popular")
    assert len(none) == 3
    assert [none.rows_of(p).tolist() for p in range(3)] == [[], [], []]
    assert len(none.top(5).item_rows) == 0
    assert len(none.with_scores(np.empty(0, dtype=np.float32))) == 3
