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


class TestCaserContract(RetrieverContract):
    name = "caser"
    settings = TINY


def scores(model, *lists):
    history = History.of_items(Jagged.from_lists(lists))
    return model.scores(Query(history, np.zeros(len(lists), dtype=np.int64), 30, np.full(len(lists), -1, np.int32)))


def test_it_looks_through_its_window():
    model = build("caser", {**TINY, "window": 3, "horizontal": 4, "vertical": 2}).fit(worlds.shop(), Run())
    near, far, inside = scores(model, [9, 1, 2, 3], [8, 1, 2, 3], [9, 8, 2, 3])
    assert np.allclose(near, far, atol=1e-6)
    assert not np.allclose(near, inside, atol=1e-4)
