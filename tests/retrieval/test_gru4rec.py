import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra")

from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

TINY = {"dim": 16, "epochs": 3, "negatives": 16}


class TestGru4recContract(RetrieverContract):
    name = "gru4rec"
    settings = TINY


def scores(model, *lists):
    history = History.of_items(Jagged.from_lists(lists))
    return model.scores(Query(history, np.zeros(len(lists), dtype=np.int64), 30, np.full(len(lists), -1, np.int32)))


def test_the_state_carries_what_was_long_ago():
    model = build("gru4rec", {**TINY, "blocks": 2, "epochs": 20, "lr": 0.01}).fit(worlds.shop(), Run())
    one, other = scores(model, [9, 1, 2, 3, 4, 5], [8, 1, 2, 3, 4, 5])
    assert not np.allclose(one, other, atol=1e-6)
