import numpy as np
import pytest

from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval.slim import SlimConfig, descend
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract


class TestSlimContract(RetrieverContract):
    name = "slim"
    settings = {"l1": 0.1, "l2": 2.0}


class TestSlimSmallContract(RetrieverContract):
    name = "slim"
    settings = {"l1": 0.01, "l2": 1.0, "max_items": 20, "candidates": 8, "neighbours": 5, "signal": "log", "own": 0.3}


def test_the_withheld_diagonal_comes_first():
    world = worlds.checkerboard()
    model = build("slim", {"l1": 0.1, "l2": 1.0}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def elastic_net(x, y, l1, l2):
    """The obvious way: one item, one weight after the other, on the data itself."""
    weights = np.zeros(x.shape[1])
    for _ in range(500):
        for at in range(x.shape[1]):
            rest = y - x @ weights + x[:, at] * weights[at]
            weights[at] = max(0.0, (x[:, at] @ rest - l1) / (x[:, at] @ x[:, at] + l2))
    return weights


def test_many_nets_at_a_time_equal_one_after_the_other():
    rng = np.random.default_rng(0)
    x = (rng.random((60, 9)) < 0.3).astype(np.float32)
    gram = x.T @ x
    candidates = np.array([[item for item in range(9) if item != target] for target in range(9)]).T
    among = gram[candidates[:, None, :], candidates[None, :, :]]
    found = descend(among, gram[candidates, np.arange(9)], SlimConfig(l1=0.5, l2=2.0, sweeps=500, tolerance=1e-7))
    for target in range(9):
        expected = elastic_net(x[:, candidates[:, target]], x[:, target], 0.5, 2.0)
        assert np.allclose(found[:, target], expected, atol=1e-4)
    assert (found == 0).any()
    assert (found >= 0).all()


@pytest.mark.parametrize("l1", [0.0, 5.0])
def test_the_lasso_leaves_fewer_weights(l1):
    model = build("slim", {"l1": l1, "l2": 1.0}).fit(worlds.shop(), Run())
    n_weights = int((model.state()["strengths"] > 0).sum())
    assert (n_weights > 200) == (l1 == 0.0)


def test_an_item_never_explains_itself_unless_it_is_told_to():
    data = worlds.shop()
    for own in (0.0, 0.7):
        lists, strengths = build("slim", {"l1": 0.1, "l2": 1.0, "own": own}).fit(data, Run()).lists()
        itself = (lists == np.arange(30)[:, None]) & (strengths > 0)
        assert np.unique(strengths[itself]).tolist() == ([] if own == 0 else [pytest.approx(0.7)])


def test_a_single_item_is_a_model():
    data = worlds.dataset([worlds.Happening(0, 0, 0)], shape=(1, 1))
    model = build("slim").fit(data, Run())
    assert len(model.retrieve(data.query(np.array([0], dtype=np.int32)), 3).item_rows) == 0
