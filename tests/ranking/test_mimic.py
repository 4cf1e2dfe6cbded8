from dataclasses import replace

import numpy as np

from inkling.core.run import Run
from inkling.ranking import build
from inkling.ranking.mimic import _gradient
from inkling.testing.ranking import RankerContract, tasks


class TestMimicContract(RankerContract):
    name = "mimic"


def test_gradient_is_that_of_the_loss():
    """Against finite differences of the cross entropy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 3))
    starts = np.array([0, 3])
    shares = np.array([0.5, 0.5, 0, 1, 0, 0, 0.0])
    net = {"w1": rng.normal(size=(3, 4)), "b1": rng.normal(size=(1, 4)), "w2": rng.normal(size=(4, 1))}
    net["skip"] = rng.normal(size=(3, 1))

    def loss(parts):
        scores = (np.maximum(x @ parts["w1"] + parts["b1"], 0) @ parts["w2"] + x @ parts["skip"])[:, 0]
        logs = [part - np.log(np.exp(part).sum()) for part in np.split(scores, starts[1:])]
        return -float(shares @ np.concatenate(logs)) / 2

    found = _gradient(net, x, shares, starts)
    for name, value in net.items():
        for at in np.ndindex(value.shape):
            moved = {**net, name: value.copy()}
            moved[name][at] += 1e-6
            assert abs((loss(moved) - loss(net)) / 1e-6 - found[name][at]) < 1e-4


def test_it_learns_a_teachers_order():
    """The first of the teacher's list comes first, on lists that were not learned from."""
    data, fresh = tasks(n_people=200), tasks(n_people=60, seed=5)
    teacher = build("gbdt", {"trees": 40, "min_examples": 5}).fit(data, Run())

    def taught(one):
        raised = np.exp(teacher.scores(one.query, one.candidates)).reshape(-1, 12)
        shares = raised / raised.sum(axis=1, keepdims=True)
        return np.where(shares > 0.05, shares, 0).astype(np.float32).reshape(-1)

    student = build("mimic").fit(replace(data, labels=taught(data)), Run())
    theirs = teacher.scores(fresh.query, fresh.candidates).reshape(-1, 12)
    ours = student.scores(fresh.query, fresh.candidates).reshape(-1, 12)
    best = np.take_along_axis(theirs, ours.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert (best >= np.sort(theirs, axis=1)[:, -2]).mean() > 0.8


def test_it_reads_the_columns_that_it_was_told():
    model = build("mimic", {"features": ("signal",)}).fit(tasks(), Run())
    assert model.asks() == {"signal"}
