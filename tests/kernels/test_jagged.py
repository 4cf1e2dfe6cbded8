from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.kernels import jagged


def build(*lists, dtype=np.float32):
    return jagged.from_lists(lists, dtype)


def test_lists_survive_the_way_there_and_back() -> None:
    offsets, values = build([1, 2], [], [3])
    assert offsets.tolist() == [0, 2, 2, 3]
    assert jagged.to_lists(offsets, values) == [[1, 2], [], [3]]
    assert jagged.lengths(offsets).tolist() == [2, 0, 1]
    assert jagged.segment_ids(offsets).tolist() == [0, 0, 2]


def test_no_list_at_all() -> None:
    offsets, values = build()
    assert offsets.tolist() == [0]
    assert jagged.segment_sum(offsets, values).tolist() == []
    assert jagged.segment_topk(offsets, values, 3)[0].tolist() == [0]
    assert jagged.segment_argmax(offsets, values).tolist() == []


def test_empty_segments_reduce_to_their_own_value() -> None:
    offsets, values = build([], [1, 5, 5], [], [-2], [])
    assert jagged.segment_sum(offsets, values).tolist() == [0, 11, 0, -2, 0]
    assert jagged.segment_max(offsets, values).tolist() == [-np.inf, 5, -np.inf, -2, -np.inf]
    assert jagged.segment_min(offsets, values, empty=9).tolist() == [9, 1, 9, -2, 9]
    assert jagged.segment_argmax(offsets, values).tolist() == [-1, 1, -1, 3, -1]


def test_counting_booleans_gives_whole_numbers() -> None:
    offsets, _ = build([1, 2], [3])
    assert jagged.segment_sum(offsets, np.array([True, True, False])).tolist() == [2, 0]


def test_ranks_are_descending_with_ties_by_position() -> None:
    offsets, values = build([3, 9, 9], [], [1, 2])
    assert jagged.segment_rank(offsets, values).tolist() == [2, 0, 1, 1, 0]
    assert jagged.reciprocal_ranks(offsets, values, constant=0) == pytest.approx([1 / 3, 1, 1 / 2, 1 / 2, 1])
    assert jagged.reciprocal_ranks(offsets, values)[1] == pytest.approx(1 / 61)


def test_topk_leaves_out_what_may_not_be_returned() -> None:
    offsets, values = build([1, -np.inf, 3], [np.nan, -np.inf], [7, 8, 7])
    new, positions = jagged.segment_topk(offsets, values, 2)
    assert jagged.to_lists(new, positions) == [[2, 0], [], [6, 5]]
    assert jagged.to_lists(*jagged.segment_topk(*build([-np.inf, 2, np.nan]), 3)) == [[1]]
    assert jagged.to_lists(*jagged.segment_topk(*build([1, 2]), 0)) == [[]]


def test_unique_keeps_the_first() -> None:
    offsets, values = build([5, 4, 5], [5], [], [4, 4], dtype=np.int32)
    new, positions = jagged.segment_unique(offsets, values)
    assert jagged.to_lists(new, values[positions]) == [[5, 4], [5], [], [4]]
    assert positions.tolist() == [0, 1, 3, 4]


def test_filter_keeps_order() -> None:
    offsets, values = build([1, 2, 3], [4], [5])
    new, positions = jagged.segment_filter(offsets, values % 2 == 1)
    assert jagged.to_lists(new, values[positions]) == [[1, 3], [], [5]]


def test_concat_joins_person_by_person() -> None:
    joined = jagged.concat([build([1], [2, 3], []), build([], [4], [5]), build([6], [], [7, 8])])
    assert jagged.to_lists(*joined) == [[1, 6], [2, 3, 4], [5, 7, 8]]
    assert jagged.to_lists(*jagged.concat([build([1, 2]), build([3])])) == [[1, 2, 3]]


def test_concat_positions_carry_any_column() -> None:
    offsets, positions = jagged.concat_positions([np.array([0, 1, 2]), np.array([0, 2, 2])])
    assert offsets.tolist() == [0, 3, 4]
    assert positions.tolist() == [0, 2, 3, 1]


def test_rows_are_taken_in_the_order_named() -> None:
    offsets, values = build([1, 2], [], [3])
    new, positions = jagged.take_rows(offsets, np.array([2, 0, 1, 2], dtype=np.int32))
    assert jagged.to_lists(new, values[positions]) == [[3], [1, 2], [], [3]]


def test_normalising_brings_segments_to_one_range() -> None:
    offsets, values = build([1, 3, 2], [7, 7], [], [-4, 2])
    assert jagged.segment_normalise(offsets, values).tolist() == [0, 1, 0.5, 1, 1, 0, 1]
    assert jagged.segment_normalise(offsets, values, method="max")[[1, 3, 5]].tolist() == [1, 1, -1]
    assert jagged.segment_normalise(*build([0, 0]), method="max").tolist() == [0, 0]
    assert jagged.segment_normalise(*build([2, 2])).tolist() == [1, 1]
    assert jagged.segment_normalise(*build([])).tolist() == []


def test_an_unknown_normalisation_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"no normalisation 'minmx'.*Did you mean 'minmax'"):
        jagged.segment_normalise(*build([1]), method="minmx")
