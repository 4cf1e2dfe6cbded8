"""Scoring a callable: numbers by hand, and answers that are none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import ConfigError, ProtocolError
from inkling.core.jagged import Jagged
from inkling.protocol.measure import check_answer, latency, measure
from inkling.testing.logs import folds_of

# Training x x y z (cut 4); a takes z and w after it, b takes x, c is new and takes y.
ROWS = [("a", "x", 1), ("b", "x", 2), ("b", "y", 3), ("b", "z", 4), ("a", "z", 5), ("a", "w", 6), ("b", "x", 7)]
ROWS += [("c", "y", 8)]


def fold():
    return folds_of(ROWS, cuts=(0.4,))[0]


def answers(*lists):
    """A model that answers the same lists of rows to each batch of its size."""

    def recommend(query, k):
        parts = [np.array(part, dtype=np.int32) for part in lists][: len(query)]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return Candidates.of(offsets, np.concatenate(parts), np.ones(offsets[-1], dtype=np.float32), source="toy")

    return recommend


def test_ndcg_by_hand():
    # a: z second of two targets, w out of reach: (1/log2 3) / (1 + 1/log2 3). b: x first. c: y third.
    result = measure(fold(), answers([0, 2, 1], [0, 1, 2], [0, 2, 1]), ("ndcg@3", "hit@1", "recall@3"))
    second = 1 / math.log2(3)
    assert result.groups["warm"].values["ndcg@3"].tolist() == pytest.approx([second / (1 + second), 1.0])
    assert result.value("recall@3") == pytest.approx((0.5 + 1) / 2)
    assert result.value("ndcg@3", group="new_users") == pytest.approx(0.5)
    assert result.value("hit@1") == 0.5
    assert result.value("hit@1", group="new_items") == 0.0


def test_an_absent_group_is_not_a_number():
    assert math.isnan(measure(fold(), answers([0], [0], [0])).value("ndcg@10", group="warm:20+"))


def test_short_answers_are_padded():
    result = measure(fold(), answers([], [0], [1]), ("ndcg@3",))
    assert result.recommended.tolist() == [[-1, -1, -1], [0, -1, -1], [1, -1, -1]]
    assert np.isnan(result.scores[0]).all()


def test_batches_do_not_matter():
    def echo(query, k):
        rows = np.array([(row * 2) % 3 for row in query.user_rows], dtype=np.int32)
        return Candidates.of(np.arange(len(rows) + 1), rows, np.ones(len(rows), dtype=np.float32), source="toy")

    whole, single = measure(fold(), echo), measure(fold(), echo, batch=1)
    assert whole.recommended.tolist() == single.recommended.tolist()


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        (([0, 0], [0], [0]), "an item twice"),
        (([3], [0], [0]), "Item row 3, answered to person 0 of the batch, may not be recommended"),
        (([9], [0], [0]), "outside 0 to 3"),
        (([-1], [0], [0]), "outside 0 to 3"),
        (([0, 1, 2], [0], [0]), "2 items were asked for, the model answered 3"),
        (([0], [0]), "3 people were asked for, the model answered for 2"),
    ],
)
def test_an_answer_that_is_none_is_an_error(lists, words):
    with pytest.raises(ProtocolError, match=words):
        measure(fold(), answers(*lists), ("ndcg@2",))


def test_excluded_and_foreign_items_are_errors():
    query = replace(fold().query(), exclude=Jagged.from_lists([[1], [], []]))
    with pytest.raises(ProtocolError, match="Item row 1, answered to person 0"):
        check_answer(query, answers([1], [1], [1])(query, 2), 2)
    limited = replace(fold().query(), candidates=Jagged.from_lists([[0, 1], [0], [0, 1]]))
    with pytest.raises(ProtocolError, match="Item row 1, answered to person 1"):
        check_answer(limited, answers([1], [1], [1])(limited, 2), 2)


def test_an_unknown_metric_is_an_error():
    with pytest.raises(ConfigError, match="no ranking metric 'ndgc'"):
        measure(fold(), answers([0], [0], [0]), ("ndgc@10",))


def test_latency_is_of_single_people():
    sizes = []

    def recommend(query, k):
        sizes.append(len(query))
        return Candidates.empty(len(query))

    timed = latency(fold(), recommend, sample=2)
    assert sizes == [1, 1, 1]
    assert timed.n == 2
    assert 0 <= timed.p50 <= timed.p99
