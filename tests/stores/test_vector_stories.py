from __future__ import annotations

import sys
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from inkling.stores import _vector_snapshot as snapshot_module
from inkling.stores import vectors as vectors_module
from inkling.stores._ivf_index import DEPTHS, IvfIndex, exact_top
from inkling.stores.vectors import VectorTable

DIM = 8
N_ROWS = 40


def unit(n, seed, dim=DIM):
    out = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def at(numbers):
    return np.array(numbers, dtype=np.int32)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(vectors_module, "_MOST_BESIDE", 10)
    monkeypatch.setattr(snapshot_module, "_FEW", 2)


class Story(RuleBasedStateMachine):
    """Everything that can be done to a table, beside a dictionary; answers of the past stay what they were."""

    states = Bundle("states")

    @initialize(exact_up_to=st.sampled_from([5, 1000]), keep=st.sampled_from(["vectors", "codes"]))
    def begin(self, exact_up_to, keep):
        self.table, self.known, self.turn = VectorTable(DIM, exact_up_to=exact_up_to, keep=keep), {}, 0
        self.apart = 1e-5 if keep == "vectors" or exact_up_to == 1000 else 0.05

    @rule(rows=st.lists(st.integers(0, N_ROWS - 1), min_size=1, max_size=15))
    def put(self, rows):
        self.turn += 1
        fresh = unit(len(rows), self.turn)
        self.table.put(at(rows), fresh)
        self.known |= dict(zip(rows, fresh, strict=True))

    @rule(rows=st.lists(st.integers(-1, N_ROWS), max_size=10))
    def delete(self, rows):
        gone = {row for row in rows if self.known.pop(row, None) is not None}
        assert self.table.delete(at(rows)) == len(gone)

    @rule()
    def compact(self):
        self.table.compact()

    @rule()
    def wait(self):
        self.table.wait()

    @rule()
    def tune(self):
        self.table.tune(unit(20, 7))

    @rule(target=states)
    def remember(self):
        return self.table._now, self.table._now.get(np.arange(N_ROWS, dtype=np.int32))

    @rule(state=consumes(states))
    def look_back(self, state):
        then, vectors = state
        np.testing.assert_array_equal(then.get(np.arange(N_ROWS, dtype=np.int32)), vectors)

    @rule(k=st.integers(0, 12), mask=st.one_of(st.none(), st.lists(st.booleans(), min_size=20, max_size=N_ROWS)))
    def search(self, k, mask):
        allowed = None if mask is None else np.array(mask, dtype=np.bool_)
        query = unit(1, 1000 + self.turn)
        found, scores = self.table.top(query, k, allowed=allowed)
        mine = {r: v for r, v in self.known.items() if allowed is None or (r < len(allowed) and allowed[r])}
        true = sorted((float(query[0] @ vector) for vector in mine.values()), reverse=True)[:k]
        assert (found[0] >= 0).sum() == len(true)
        there = found[0][found[0] >= 0].tolist()
        assert set(there) <= set(mine)
        assert len(set(there)) == len(there)
        np.testing.assert_allclose(scores[0, : len(true)], true, atol=self.apart)
        np.testing.assert_allclose(scores[0, : len(true)], [query[0] @ mine[row] for row in there], atol=self.apart)

    @invariant()
    def the_same_is_there(self):
        if not hasattr(self, "table"):
            return
        assert len(self.table) == len(self.known)
        expected = [self.known.get(row, np.zeros(DIM)) for row in range(N_ROWS)]
        np.testing.assert_allclose(self.table.get(np.arange(N_ROWS, dtype=np.int32)), expected, atol=self.apart)

    def teardown(self):
        if hasattr(self, "table"):
            self.table.wait()


Story.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


class TestStory(Story.TestCase):
    @pytest.fixture(autouse=True)
    def _everything(self, monkeypatch):
        # Few vectors in many cells: all cells are looked at, so that an answer is exact.
        monkeypatch.setattr(IvfIndex, "width", lambda self, depth, *, share=1.0: self.n_cells)


@pytest.mark.parametrize("keep", ["vectors", "codes"])
def test_adds_deletes_folds_and_searches_at_once(keep):
    table = VectorTable(DIM, exact_up_to=100, keep=keep)
    base = unit(600, 1)
    table.put(np.arange(600, dtype=np.int32), base)
    table.wait()
    stop, wrong = Event(), []
    pairs = at([[700 + 2 * n, 701 + 2 * n] for n in range(40)])  # two rows that always come and go together
    axis = np.zeros((1, DIM), dtype=np.float32)
    axis[0, 0] = 3.0  # longer than any other vector: if it is there, it is first

    def write(seed):
        rng = np.random.default_rng(seed)
        while not stop.is_set():
            pair = pairs[rng.integers(seed * 10, seed * 10 + 10)]
            table.put(pair, np.repeat(axis, 2, axis=0))
            if table.delete(pair) != 2:
                wrong.append(pair)

    def read():
        while not stop.is_set():
            found, scores = table.top(axis, 60)
            longest = found[0][scores[0] > 8.5]
            if len(set((longest // 2).tolist())) * 2 != len(longest) or (np.diff(scores[0]) > 0).any():
                wrong.append(longest)
            if len(set(found[0].tolist())) != 60 or (found < 0).any():
                wrong.append(found)

    every = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        threads = [Thread(target=write, args=(0,)), Thread(target=write, args=(1,)), Thread(target=read)]
        for thread in threads:
            thread.start()
        stop.wait(0.6)
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(every)
    table.wait()
    assert wrong == []
    assert len(table) == 600
    table.compact()
    np.testing.assert_allclose(table.get(np.arange(600, dtype=np.int32)), base, atol=0.05)


@pytest.mark.parametrize("keep", ["vectors", "codes"])
def test_the_width_is_tuned_to_the_recall_that_is_wanted(keep):
    vectors, queries = unit(6_000, 1, 16), unit(200, 2, 16)
    truth = exact_top(vectors, queries, 50)
    widths = []
    for recall in (0.6, 0.95):
        table = VectorTable(16, exact_up_to=1000, recall=recall, keep=keep)
        table.put(np.arange(6_000, dtype=np.int32), vectors)
        table.wait()
        found, _ = table.top(queries, 50)
        share = np.mean([np.isin(true, own).mean() for true, own in zip(truth, found, strict=True)])
        assert share >= recall - 0.02
        widths.append(table.index.widths)
    assert widths[0] < widths[1]
    assert widths[1][0] < table.index.n_cells
    assert len(widths[0]) == len(DEPTHS)


def test_a_search_is_tuned_on_what_is_really_asked():
    vectors = unit(4_000, 1, 16)
    table = VectorTable(16, exact_up_to=1000, recall=0.9)
    table.put(np.arange(4_000, dtype=np.int32), vectors)
    table.wait()
    usual = table.index.widths
    far = -np.repeat(vectors[:1], 50, axis=0) + 0.01 * unit(50, 3, 16)
    table.tune(far)
    assert table.index.widths != usual
    table.tune()
    assert table.index.recall == 0.9


@pytest.mark.parametrize("share", [0.5, 0.05, 0.002])
def test_a_mask_is_honoured_and_still_finds_what_it_lets_through(share):
    vectors, queries = unit(6_000, 1, 16), unit(50, 2, 16)
    table = VectorTable(16, exact_up_to=1000)
    table.put(np.arange(6_000, dtype=np.int32), vectors)
    table.wait()
    allowed = np.random.default_rng(0).random(6_000) < share
    allowed.flags.writeable = False
    rows = np.flatnonzero(allowed)
    k = min(20, len(rows))
    truth = rows[exact_top(vectors[rows], queries, k)]
    for _ in range(2):  # the second time from what is kept of a mask that cannot change
        found, _scores = table.top(queries, k, allowed=allowed)
        assert allowed[found].all()
        assert np.mean([np.isin(true, own).mean() for true, own in zip(truth, found, strict=True)]) >= 0.93


def test_growth_trains_anew_and_keeps_everything():
    table = VectorTable(DIM, exact_up_to=500)
    vectors = unit(3000, 5)
    trained = set()
    for begin in range(0, 3000, 250):
        table.put(np.arange(begin, begin + 250, dtype=np.int32), vectors[begin : begin + 250])
        table.wait()
        if table.index is not None:
            trained.add(table.index.trained_on)
    assert len(trained) > 1
    table.delete(np.arange(0, 2900, dtype=np.int32))
    table.wait()
    assert table.index is None
    np.testing.assert_allclose(table.get(np.arange(2900, 3000, dtype=np.int32)), vectors[2900:])


def test_a_fold_that_fails_leaves_everything_to_be_found(monkeypatch, caplog):
    table = VectorTable(DIM, exact_up_to=5)
    monkeypatch.setattr(vectors_module, "folded", lambda *_, **__: 1 / 0)
    vectors = unit(50, 5)
    table.put(np.arange(50, dtype=np.int32), vectors)
    table.wait()
    assert "could not be folded" in caplog.text
    assert table.top(vectors[7:8], 1)[0].tolist() == [[7]]
    monkeypatch.undo()
    table.put(at([50]), unit(1, 6))
    table.compact()
    assert len(table) == 51
