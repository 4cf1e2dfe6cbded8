import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.training.sequences import (  # noqa: E402
    Epoch,
    Layout,
    Sequences,
    hidden_items,
    next_items,
    pack,
    parts,
)


def sequences(lengths, target=None):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(offsets[-1])
    targets = np.ones(n, dtype=np.bool_) if target is None else np.array(target)
    return Sequences(offsets, np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int64) * 10, targets)


def lists(some):
    return [some.items[a:b].tolist() for a, b in zip(some.offsets[:-1], some.offsets[1:], strict=True)]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_rows_hold_their_width_and_overlap_nowhere(lengths):
    rows, starts = pack(np.array(lengths), 9)
    taken = {(int(r), int(s) + i) for r, s, n in zip(rows, starts, lengths, strict=True) for i in range(n)}
    assert len(taken) == sum(lengths)
    assert all(place < 9 for _, place in taken)
    assert rows.max() + 1 <= 2 * -(-sum(lengths) // 9)


def test_the_last_items_and_windows_that_lose_no_step():
    some = sequences([5, 1, 3])
    assert lists(some.last(2)) == [[3, 4], [5], [7, 8]]
    assert lists(some.windows(3)) == [[2, 3, 4], [0, 1, 2], [5], [6, 7, 8]]
    assert lists(some.windows(4)) == [[1, 2, 3, 4], [0, 1], [5], [6, 7, 8]]
    assert lists(some.longer(1)) == [[0, 1, 2, 3, 4], [6, 7, 8]]


def pairs(batch):
    return sorted(zip(batch.items.ravel()[batch.places].tolist(), batch.targets.tolist(), strict=True))


@pytest.mark.parametrize("packed", [True, False])
def test_each_item_predicts_the_one_after_it_in_its_own_sequence(packed):
    batch = next_items(sequences([3, 1, 2, 4]), np.arange(4), packed=packed)
    assert pairs(batch) == [(0, 1), (1, 2), (4, 5), (6, 7), (7, 8), (8, 9)]
    assert batch.items.shape == ((3, 4) if packed else (4, 4))


def test_what_is_no_target_is_read_but_not_predicted():
    batch = next_items(sequences([4], target=[True, False, True, True]), np.array([0]))
    assert pairs(batch) == [(1, 2), (2, 3)]


def test_a_layout_knows_positions_times_and_who_sees_whom():
    batch = next_items(sequences([2, 3, 1]), np.arange(3))
    layout = batch.layout
    assert layout.segments.tolist() == [[1, 1, 1], [0, 0, 2]]
    assert layout.positions.tolist() == [[0, 1, 2], [0, 1, 0]]
    assert layout.times.tolist() == [[20, 30, 40], [0, 10, 50]]
    assert layout.causal()[1].tolist() == [[True, False, False], [True, True, False], [False, False, True]]
    assert layout.same()[1].tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    alone = Layout.single(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([3, 1]))
    assert alone.segments.tolist() == [[0, 0, 0], [1, -1, -1]]


def test_hidden_items_predict_themselves_and_are_one_at_least():
    some = sequences([3, 1, 5])
    batch = hidden_items(some, np.arange(3), share=0.0, last=0.0, rng=np.random.default_rng(0))
    assert len(batch) == 3
    assert batch.items.ravel()[batch.places].tolist() == batch.targets.tolist()
    assert batch.masked.ravel()[batch.places].all()
    assert int(batch.masked.sum()) == 3
    ends = hidden_items(some, np.arange(3), share=0.9, last=1.0, rng=np.random.default_rng(0))
    assert sorted(ends.targets.tolist()) == [2, 3, 8]


def test_groups_hold_everyone_once_and_about_so_many_items():
    some = sequences([3] * 40)
    groups = parts(some, 30, np.random.default_rng(0))
    assert sorted(np.concatenate(groups).tolist()) == list(range(40))
    assert [len(group) for group in groups] == [10, 10, 10, 10]
    assert parts(some, 60, None)[0].tolist() == list(range(20))
    made = list(Epoch(groups, lambda index: next_items(some, index)))
    assert sum(len(batch) for batch in made) == 80
    empty = sequences([1, 1])
    assert list(Epoch(parts(empty, 9, None), lambda index: next_items(empty, index))) == []
