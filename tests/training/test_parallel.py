"""Two processes, started as torchrun starts them, end with the weights of one."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.run import Run  # noqa: E402
from inkling.retrieval import build  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.training.loop import Around, Plan, train  # noqa: E402
from inkling.training.losses import softmax  # noqa: E402
from inkling.training.optim import Optim  # noqa: E402
from inkling.training.parallel import World, world  # noqa: E402


def trained(place):
    torch.manual_seed(0)
    x, y = torch.randn(30, 4), torch.randint(7, (30,))
    torch.manual_seed(place.rank)  # what another process begins with must not matter
    model = torch.nn.Linear(4, 7)
    place.same_start(model)

    def batches(epoch):
        order = np.random.default_rng(epoch).permutation(30)
        return [torch.from_numpy(place.mine(part)) for part in np.split(order, [11, 22])]

    def loss(index):
        return softmax(x[index], model.weight, y[index], bias=model.bias)

    plan = Plan(epochs=3, optim=Optim("sgd", lr=0.5), max_seconds=300.0, clip=0.5)
    train(model, batches, loss, plan, Run(), Around(world=place))
    return np.concatenate([model.weight.detach().numpy().ravel(), model.bias.detach().numpy()])


def fitted():
    """A SASRec without chance in it: every process ends with the same, which one process comes to as well."""
    settings = {"dim": 8, "epochs": 3, "dropout": 0.0, "loss": "softmax", "batch_tokens": 120, "validation": 0.0}
    model = build("sasrec", settings).fit(worlds.chain().data, Run())
    return model.people(worlds.chain().query)[0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_equal_one(tmp_path):
    around = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, __file__, str(tmp_path)]
    started = [subprocess.Popen(command, env={**os.environ, **around, "RANK": str(rank)}) for rank in (0, 1)]
    alone, model = trained(World()), fitted()
    try:
        assert [process.wait(timeout=120) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
            process.wait()
    together = [np.load(tmp_path / f"{rank}.npy") for rank in (0, 1)]
    assert np.array_equal(*together)
    assert np.allclose(together[0], alone, atol=1e-6)
    for rank in (0, 1):
        assert np.allclose(np.load(tmp_path / f"model-{rank}.npy"), model, atol=1e-3)


def test_without_torchrun_one_is_alone():
    with world() as place:
        assert place == World(rank=0, size=1)
    assert place.mine(np.arange(3)).tolist() == [0, 1, 2]
    assert World(1, 2).mine(np.arange(5)).tolist() == [1, 3]
    assert place.any(mine=True)


if __name__ == "__main__":
    with world() as here:
        np.save(f"{sys.argv[1]}/{here.rank}.npy", trained(here))
    np.save(f"{sys.argv[1]}/model-{here.rank}.npy", fitted())
