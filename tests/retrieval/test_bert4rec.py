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


class TestBert4recContract(RetrieverContract):
    name = "bert4rec"
    settings = TINY


def scores(model, *lists):
    history = History.of_items(Jagged.from_lists(lists))
    return model.scores(Query(history, np.zeros(len(lists), dtype=np.int64), 30, np.full(len(lists), -1, np.int32)))


def test_the_mask_behind_the_end_takes_a_place_of_its_length():
    model = build("bert4rec", {**TINY, "length": 4}).fit(worlds.shop(), Run())
    long, short, other = scores(model, [9, 1, 2, 3], [8, 1, 2, 3], [9, 4, 2, 3])
    assert np.allclose(long, short, atol=1e-6)
    assert not np.allclose(long, other, atol=1e-4)


def test_shares_of_hidden_events_are_settings():
    batches = []
    for hidden, last in ((1.0, 0.0), (0.0, 1.0)):
        model = build("bert4rec", {**TINY, "hidden": hidden, "hidden_last": last})
        from inkling.retrieval._sequence_fit import by_person

        everyone = by_person(worlds.chain().data.interactions, timed=True)
        batches.append(model.batch(everyone, np.arange(5), np.random.default_rng(0)))
    assert [len(batch) for batch in batches] == [30, 5]
