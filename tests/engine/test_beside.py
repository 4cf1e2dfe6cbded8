"""What is said of an item does not depend on which others are asked about."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.engine.beside import placed


def items(offsets, rows, says, ranks=None):
    fields = {"says_a": np.array(says, dtype=np.float32)} | (
        {"rank_a": np.array(ranks, dtype=np.float32)} if ranks else {}
    )
    rows = np.array(rows, dtype=np.int32)
    return Candidates.of(np.array(offsets), rows, np.zeros(len(rows), dtype=np.float32), source="x").with_fields(fields)


def test_ranks_among_a_persons_candidates_by_hand():
    beside = items([0, 3, 3], [7, 8, 9], [0.5, 1.0, 0.25], [0.3, 0.2, 0.1])
    asked = items([0, 3, 4], [8, 4, 5, 8], [0.9, 0.5, 2.0, 0.1])
    got = placed(asked, beside)
    assert got.fields["says_a"].tolist() == pytest.approx([1.0, 0.5, 2.0, 0.1])  # 8 has what it has beside the others
    assert got.fields["rank_a"].tolist() == pytest.approx([0.2, 1 / 63, 1 / 61, 1 / 61])  # 4 stands behind 8 and 7
    assert asked.fields["says_a"][0] == pytest.approx(0.9)


@pytest.mark.parametrize("order", ["fused", "linear", "gbdt"])
def test_one_item_alone_scores_as_among_many_and_as_in_a_list(shop, order):
    ids = [row["item_id"] for row in shop.ITEMS]
    with shop.fitted(order=order) as engine:
        together = engine.score("u1", ids)
        assert [engine.score("u1", [one])[0] for one in ids] == pytest.approx(together, abs=2e-6)
        assert engine.score("u1", ids[::-1] + ids[:2]) == pytest.approx(together[::-1] + together[:2], abs=2e-6)
        shown = engine.recommend("u1", k=10).items
        assert len(shown) >= 5
        assert engine.score("u1", [line.item_id for line in shown]) == pytest.approx(
            [line.score for line in shown], abs=2e-6
        )
