import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import MissingExtraError  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.core.scenario import Scenario  # noqa: E402
from inkling.retrieval import build  # noqa: E402
from inkling.retrieval._windows import latest  # noqa: E402
from inkling.retrieval.ncf import Ncf, NcfConfig  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.testing.retrieval import RetrieverContract  # noqa: E402

SMALL = {"dim": 6, "hidden": [8, 4], "length": 6, "epochs": 1, "batch": 128, "negatives": 4}


def fitted(data, **settings):
    return build("ncf", {**SMALL, **settings}).fit(data, Run(seed=1))


class TestNcfContract(RetrieverContract):
    name = "ncf"
    settings = SMALL
    _models = {}

    def fitted(self, data=None):
        if data is not None or "shop" not in self._models:
            model = super().fitted(data)
            if data is not None:
                return model
            self._models["shop"] = model
        return self._models["shop"]

    def test_deterministic(self):
        """The same seed gives the same model."""
        first = super().fitted().retrieve(self.query(), 10)
        assert np.allclose(first.scores, self.fitted().retrieve(self.query(), 10).scores, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("hidden", [[8], []], ids=["network", "product"])
def test_people_get_what_people_like_them_had(hidden):
    world = worlds.checkerboard(12)
    model = fitted(world.data, epochs=60, batch=32, learning_rate=0.02, length=12, hidden=hidden, weight_decay=0.0)
    found = model.retrieve(world.query, 1)
    assert (found.item_rows % 2 == found.segment_rows % 2).mean() > 0.9


@pytest.mark.parametrize("hidden", [[8, 4], [5], []])
def test_numpy_answers_as_the_network(hidden, monkeypatch):
    from inkling.retrieval import ncf
    from inkling.training.nets.neumf import NeuMf

    monkeypatch.setattr(ncf, "_BLOCK", 7)
    data = worlds.shop()
    model = fitted(data, hidden=hidden)
    net = NeuMf(30, dim=6, hidden=tuple(hidden), dropout=0.5).eval()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in model.state().items() if name != "known"})
    query = data.query(np.array([0, 3, -1], dtype=np.int32))
    histories = torch.from_numpy(latest(query.history, 6, 30).astype(np.int64))
    with torch.no_grad():
        logits = net(histories, torch.arange(30).expand(3, 30)).numpy()
    assert np.allclose(model.scores(query), logits * model.state()["known"], atol=1e-5)


def test_the_network_is_the_formula():
    from inkling.training.nets.neumf import NeuMf

    net = NeuMf(5, dim=3, hidden=(4,), dropout=0.0)
    with torch.no_grad():
        net.bias += 0.1
        p = (net.product_had[1] + net.product_had[3]) / 2**0.5 + net.shared[0]
        q = (net.network_had[1] + net.network_had[3]) / 2**0.5 + net.shared[1]
        inner = torch.relu(net.layers[0].weight @ torch.cat([q, net.network_item[2]]) + net.layers[0].bias)
        wanted = net.weigh.weight[0] @ (p * net.product_item[2]) + net.judge.weight[0] @ inner + 0.1
        found = net(torch.tensor([[3, 1, -1]]), torch.tensor([[2, 0]]))[0, 0]
    assert torch.allclose(found, wanted, atol=1e-6)


def test_items_that_nobody_had_have_no_score():
    data = worlds.dataset([worlds.Happening(0, 0, 1), worlds.Happening(0, 1, 2)], shape=(1, 4))
    scores = fitted(data).scores(data.query(np.array([0], dtype=np.int32)))[0]
    assert (scores[:2] != 0).all()
    assert (scores[2:] == 0).all()


def test_data_without_an_order_is_fitted_on_all_others():
    data = replace(worlds.shop(), scenario=Scenario(time="none"))
    assert np.isfinite(fitted(data).scores(data.query(np.arange(3, dtype=np.int32)))).all()


def test_an_unfitted_model_knows_nothing():
    query = worlds.shop().query(np.array([0], dtype=np.int32))
    assert not Ncf(NcfConfig(hidden=())).scores(query).any()
    assert not Ncf().scores(query).any()


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"'ncf' needs torch.*pip install 'inkling\[train\]'"):
        fitted(worlds.shop())
