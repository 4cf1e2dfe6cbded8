import sys
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import DataError, MissingExtraError
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening

SMALL = {"form": "trained", "dim": 8, "epochs": 2, "batch": 64, "negatives": 16}


def has_torch():
    return pytest.importorskip("torch", reason="training is an extra")


class TestLightgcnContract(RetrieverContract):
    name = "lightgcn"


class TestLightgcnSparseContract(RetrieverContract):
    name = "lightgcn"
    settings = {"neighbours": 3, "dim": 4, "low": 2.0, "half_life_days": 30, "fit_half_life_days": 60, "signal": "log"}


class TestLightgcnTrainedContract(RetrieverContract):
    name = "lightgcn"
    settings = SMALL

    def make(self):
        has_torch()
        return super().make()


class TestLightgcnBprContract(TestLightgcnTrainedContract):
    settings = {**SMALL, "loss": "bpr", "start": "random", "steps": 2, "negatives": 2}


def people_and_items(data):
    matrix = np.zeros((data.n_users, data.n_items))
    events = data.interactions.select(data.interactions.weights > 0)
    np.maximum.at(matrix, (events.user_rows, events.item_rows), events.weights)
    roots = [np.sqrt(matrix.sum(axis=axis)) for axis in (1, 0)]
    return matrix, matrix / np.maximum(roots[0], 1e-9)[:, None] / np.maximum(roots[1], 1e-9), roots[1]


def test_the_filter_is_the_formula():
    data = worlds.shop()
    events = data.interactions
    data = replace(data, interactions=replace(events, weights=(events.weights > 0).astype(np.float32)))
    matrix, graph, roots = people_and_items(data)
    _, _, right = np.linalg.svd(graph)
    low = (right[:5].T @ right[:5]) / np.maximum(roots, 1e-9)[:, None] * roots
    gram = graph.T @ graph
    np.fill_diagonal(gram, 0.0)
    model = build("lightgcn", {"dim": 5, "low": 0.7, "neighbours": 0}).fit(data, Run())
    scores = model.scores(data.query(np.arange(data.n_users, dtype=np.int32)))
    assert np.allclose(scores, matrix @ (gram + 0.7 * low), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {**SMALL, "epochs": 30, "learning_rate": 0.02}], ids=["filter", "trained"])
def test_the_withheld_diagonal_comes_first(settings):
    if settings:
        has_torch()
    world = worlds.checkerboard()
    model = build("lightgcn", settings).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


@pytest.mark.parametrize("settings", [{"neighbours": 4}, SMALL], ids=["filter", "trained"])
def test_why_sums_up_to_the_score(settings):
    if "form" in settings:
        has_torch()
    data = worlds.shop()
    model = build("lightgcn", settings).fit(data, Run())
    query = data.query(np.array([3], dtype=np.int32))
    for item in (0, 11):
        total = sum(because.weight for because in model.why(query, item))
        assert total == pytest.approx(float(model.scores(query)[0, item]), abs=1e-5)


def test_a_folded_person_is_the_person_of_the_network():
    torch = has_torch()
    from inkling.training.nets.graph import Edges, LightGraph

    data = worlds.shop()
    _, graph, _ = people_and_items(data)
    people, items = np.nonzero(graph)
    values = torch.tensor(graph[people, items], dtype=torch.float32)
    edges = Edges.of(torch.from_numpy(people), torch.from_numpy(items), values, graph.shape)
    start = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))
    net = LightGraph(start, edges, steps=2)
    dense, first = torch.tensor(graph, dtype=torch.float32), start
    spread = (first + dense.T @ dense @ first + dense.T @ dense @ dense.T @ dense @ first) / 3
    found = net()
    assert torch.allclose(found[1], spread, atol=1e-5)
    assert torch.allclose(found[0], dense @ spread, atol=1e-5)
    wanted = torch.nn.functional.cosine_similarity(dense @ spread - dense[:, [2]] * spread[2], spread[2][None], dim=1)
    edge = (torch.arange(40), torch.full((40,), 2), dense[:, 2])
    positive, negative = net.logits(edge, torch.tensor([2, 7]))
    assert torch.allclose(positive, wanted, atol=1e-5)
    assert torch.allclose(negative[:, 0], positive, atol=1e-5)
    assert torch.allclose(net.logits(edge, torch.tensor([[2, 7]] * 40))[1], negative, atol=1e-5)


def test_the_gradient_passes_the_sparse_product():
    torch = has_torch()
    from inkling.training.nets.graph import Edges

    edges = Edges.of(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 2]), torch.tensor([1.0, 2.0, 3.0]).double(), (2, 3))
    dense = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: edges.to_items(edges.to_people(x)), (dense,))


def test_training_beats_where_it_began():
    has_torch()
    world = worlds.checkerboard()
    settings = {**SMALL, "start": "random", "steps": 0, "epochs": 40}
    short = build("lightgcn", {**settings, "learning_rate": 1e-6}).fit(world.data, Run())
    long = build("lightgcn", {**settings, "learning_rate": 0.02}).fit(world.data, Run())

    def right(model):
        return int((model.retrieve(world.query, 1).item_rows == world.first).sum())

    assert right(long) == len(world.query) > right(short)


def test_nobody_with_two_items_cannot_be_trained():
    has_torch()
    data = worlds.dataset([Happening(0, 0, 1), Happening(1, 1, 1)], shape=(2, 2))
    with pytest.raises(DataError, match="nobody has two items"):
        build("lightgcn", SMALL).fit(data, Run())


def test_without_torch_training_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'inkling\[train\]'"):
        build("lightgcn", SMALL).fit(worlds.shop(), Run())
