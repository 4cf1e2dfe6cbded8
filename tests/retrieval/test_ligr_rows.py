import numpy as np
import pytest

pytest.importorskip("torch", reason="training is an extra")

import torch

from inkling.retrieval._ligr_rows import LigrRows
from inkling.training.nets.ligr import Ligr
from inkling.training.nets.sequence import SequenceNet, Served


class NoTable(torch.nn.Module):
    pass


def made(dim, *, blocks, heads, cosine, reach=8):
    torch.manual_seed(1)
    net = SequenceNet(NoTable(), Ligr(dim, blocks=blocks, heads=heads, reach=reach), cosine=cosine).eval()
    for value in net.parameters():
        value.data += 0.2 * torch.randn_like(value)
    weights = {"weights." + name: value.numpy() for name, value in net.state_dict().items()}
    return net, weights


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize(("blocks", "heads"), [(1, 1), (1, 4), (2, 2), (3, 2)])
@pytest.mark.parametrize("length", [1, 7, 8, 20])
def test_it_says_what_the_trained_network_says(blocks, heads, cosine, length):
    net, weights = made(16, blocks=blocks, heads=heads, cosine=cosine)
    vectors = np.random.default_rng(length).standard_normal((3, length, 16)).astype(np.float32)
    with torch.no_grad():
        asked = torch.from_numpy(vectors), torch.zeros(3, length, dtype=torch.int64), torch.full((3,), length)
        expected = Served(net)(*asked).numpy()
    found = LigrRows.of(weights, start="weights.").people(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=3e-5, rtol=1e-4)


def test_one_answers_as_many_do():
    _, weights = made(16, blocks=2, heads=2, cosine=True)
    rows = LigrRows.of(weights, start="weights.")
    vectors = np.random.default_rng(0).standard_normal((5, 9, 16)).astype(np.float32)
    alone = np.concatenate([rows.people(vectors[at : at + 1]) for at in range(5)])
    np.testing.assert_allclose(rows.people(vectors), alone, atol=1e-5)


def test_extreme_gates_are_shut_without_a_warning():
    _, weights = made(16, blocks=1, heads=2, cosine=False)
    weights["weights.body.blocks.0.gate.bias"] = np.full(16, -1e4, dtype=np.float32)
    found = LigrRows.of(weights, start="weights.").people(np.ones((1, 3, 16), dtype=np.float32))
    assert np.isfinite(found).all()


def test_weights_of_another_network_are_left_alone():
    assert LigrRows.of({"weights.body.gru.weight": np.zeros(3)}, start="weights.") is None
    assert LigrRows.of({}, start="weights.") is None
