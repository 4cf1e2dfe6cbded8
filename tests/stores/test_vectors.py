from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.errors import RequestError
from inkling.stores.vectors import VectorTable

DIM = 4


def rows(*numbers):
    return np.array(numbers, dtype=np.int32)


def vectors(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)


def slow_top(known, query, k, allowed=None):
    found = [
        (-float(query @ v), row) for row, v in known.items() if allowed is None or (row < len(allowed) and allowed[row])
    ]
    return [row for _, row in sorted(found)[:k]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "delete", "compact"]), st.lists(st.integers(0, 12), max_size=5)), max_size=12
    ),
    st.sampled_from([3, 10_000]),
    st.integers(0, 6),
    st.one_of(st.none(), st.lists(st.booleans(), max_size=14)),
)
def test_any_story_equals_a_dictionary(story, exact_up_to, k, allowed):
    table, known = VectorTable(DIM, exact_up_to=exact_up_to), {}
    for turn, (verb, which) in enumerate(story):
        at = rows(*which)
        if verb == "put":
            fresh = vectors(len(at), seed=turn)
            table.put(at, fresh)
            known |= dict(zip(which, fresh, strict=True))
        elif verb == "delete":
            assert table.delete(at) == len({row for row in which if known.pop(row, None) is not None})
        else:
            table.compact()
    mask = None if allowed is None else np.array(allowed, dtype=np.bool_)
    queries = vectors(3, seed=99)
    found, scores = table.top(queries, k, allowed=mask)
    assert (found.shape, scores.shape, found.dtype, scores.dtype) == ((3, k), (3, k), np.int32, np.float32)
    for b, query in enumerate(queries):
        expected = slow_top(known, query, k, mask)
        assert found[b].tolist() == expected + [-1] * (k - len(expected))
        np.testing.assert_allclose(
            scores[b, : len(expected)], [query @ known[row] for row in expected], rtol=1e-5, atol=1e-6
        )
        assert np.isneginf(scores[b, len(expected) :]).all()
    assert len(table) == len(known)
    np.testing.assert_array_equal(
        table.get(np.arange(-1, 14, dtype=np.int32)), [known.get(row, np.zeros(DIM)) for row in range(-1, 14)]
    )


def test_the_last_of_a_row_that_comes_twice_counts():
    table = VectorTable(DIM)
    two = vectors(2)
    table.put(rows(3, 3), two)
    np.testing.assert_array_equal(table.get(rows(3))[0], two[1])
    assert len(table) == 1


def test_equal_scores_come_in_the_order_of_rows():
    table = VectorTable(DIM)
    table.put(rows(*range(50, 0, -1)), np.ones((50, DIM), dtype=np.float32))
    assert table.top(np.ones((1, DIM), dtype=np.float32), 5)[0].tolist() == [[1, 2, 3, 4, 5]]


@pytest.mark.parametrize("exact_up_to", [100, 10_000])
def test_folding_keeps_everything(exact_up_to):
    table, all_of_them = VectorTable(DIM, exact_up_to=exact_up_to), vectors(3000)
    for begin in range(0, 3000, 300):
        table.put(np.arange(begin, begin + 300, dtype=np.int32), all_of_them[begin : begin + 300])
    table.wait()
    assert table._now.n < 2500
    table.compact()
    assert table._now.n == 0
    assert (table.index is not None) == (exact_up_to == 100)
    assert table.delete(np.arange(0, 2900, dtype=np.int32)) == 2900
    table.wait()
    assert len(table._now.base) < 1500
    found, _ = table.top(vectors(5, seed=1), 1)
    assert (found >= 2900).all()
    table.compact()
    assert len(table._now.base) == 100


@pytest.mark.parametrize(
    ("at", "given"),
    [
        (rows(1), np.ones((2, DIM), dtype=np.float32)),
        (rows(1), np.ones((1, DIM + 1), dtype=np.float32)),
        (rows(1), np.full((1, DIM), np.nan, dtype=np.float32)),
        (rows(-1), np.ones((1, DIM), dtype=np.float32)),
    ],
)
def test_vectors_that_do_not_fit(at, given):
    table = VectorTable(DIM)
    with pytest.raises(RequestError, match=r"expected \(1, 4\), finite|expected \(2, 4\), finite"):
        table.put(at, given)
    assert len(table) == 0


def test_queries_that_do_not_fit():
    with pytest.raises(RequestError, match=r"expected \(B, 4\)"):
        VectorTable(DIM).top(np.ones(DIM, dtype=np.float32), 3)


@pytest.mark.parametrize("exact_up_to", [100, 10_000])
def test_readers_never_see_half_a_vector(exact_up_to):
    table, torn = VectorTable(DIM, exact_up_to=exact_up_to), []
    at = np.arange(400, dtype=np.int32)
    table.put(at, np.ones((400, DIM), dtype=np.float32))

    def write():
        for turn in range(1, 25):
            table.put(at, np.full((400, DIM), turn, dtype=np.float32))

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        found, scores = table.top(np.ones((1, DIM), dtype=np.float32), 400)
        got = table.get(at)
        if len(set(scores[0].tolist())) != 1 or sorted(found[0].tolist()) != at.tolist() or len(np.unique(got)) != 1:
            torn.append(scores)
    writer.join()
    assert torn == []
