import pytest

pytest.importorskip("torch", reason="training is an extra")

import numpy as np

from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

TINY = {"dim": 16, "epochs": 4, "negatives": 16}


class TestSasrecContract(RetrieverContract):
    name = "sasrec"
    settings = TINY


class TestSasrecTextContract(RetrieverContract):
    name = "sasrec"
    settings = {**TINY, "compare": "dot", "loss": "softmax", "text": "add", "encoder": "hashing", "windows": "all"}


@pytest.mark.parametrize("blocks", [1, 2])
def test_numpy_answers_as_the_exported_network_does(blocks):
    data = worlds.shop()
    model = build("sasrec", {**TINY, "blocks": blocks}).fit(data, Run(seed=7))
    query = data.query(np.arange(12, dtype=np.int32))
    found, _ = model.people(query)
    assert (model._rows is not None) == (blocks == 1)
    graph_alone = {name: array for name, array in model.state().items() if not name.startswith("weights.")}
    other = build("sasrec", {**TINY, "blocks": blocks}).load_state(graph_alone)
    assert other._rows is None
    expected, _ = other.people(query)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)
