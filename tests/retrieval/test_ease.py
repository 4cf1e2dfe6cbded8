import logging

import numpy as np
import pytest

from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract


class TestEaseContract(RetrieverContract):
    name = "ease"


class TestEaseSparseContract(RetrieverContract):
    name = "ease"
    settings = {"l2": 2.0, "max_items": 20, "neighbours": 6, "half_life_days": 30, "fit_half_life_days": 60}


def test_the_withheld_diagonal_comes_first():
    world = worlds.checkerboard()
    model = build("ease", {"l2": 5.0}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def test_equals_ridge_regression_of_each_item_on_the_others():
    data = worlds.shop()
    events = data.interactions.select(data.interactions.weights > 0)
    x = np.zeros((data.n_users, data.n_items))
    np.maximum.at(x, (events.user_rows, events.item_rows), events.weights)
    model = build("ease", {"l2": 3.0}).fit(data, Run())
    for item in (0, 5, 29):
        others = np.delete(np.arange(data.n_items), item)
        gram = x[:, others].T @ x[:, others] + 3.0 * np.eye(len(others))
        expected = np.linalg.solve(gram, x[:, others].T @ x[:, item])
        assert np.allclose(model.state()["weights"][others, item], expected, atol=1e-3)


@pytest.mark.parametrize("signal", ["binary", "log", "sum"])
def test_signals(signal):
    model = build("ease", {"l2": 3.0, "signal": signal}).fit(worlds.shop(), Run())
    assert np.abs(model.state()["weights"]).max() > 0


def test_only_the_most_active_items_are_in_the_model():
    data = worlds.shop()
    model = build("ease", {"max_items": 5, "l2": 2.0}).fit(data, Run())
    held = set(model.state()["items"].tolist())
    assert len(held) == 5
    found = model.retrieve(data.query(np.arange(20, dtype=np.int32)), 30)
    assert set(found.item_rows.tolist()) <= held
    outside = next(row for row in range(30) if row not in held)
    assert model.why(data.query(np.array([0], dtype=np.int32)), outside) == ()


def test_the_strongest_weights_say_nearly_the_same():
    data = worlds.shop()
    query = data.query(np.arange(20, dtype=np.int32))
    dense = build("ease", {"l2": 3.0}).fit(data, Run()).scores(query)
    sparse = build("ease", {"l2": 3.0, "neighbours": 25}).fit(data, Run()).scores(query)
    assert np.corrcoef(dense.ravel(), sparse.ravel())[0, 1] > 0.98


def test_why_tells_for_and_against():
    data = worlds.shop()
    query = data.query(np.array([1], dtype=np.int32))
    model = build("ease", {"l2": 1.0}).fit(data, Run())
    weights = [because.weight for because in model.why(query, 3)]
    assert min(weights) < 0 < max(weights)
    assert sum(weights) == pytest.approx(float(model.scores(query)[0, 3]), abs=1e-5)


def test_a_system_that_cannot_be_solved_says_what_to_do():
    from inkling.retrieval.ease import solve

    with pytest.raises(DataError, match="Raise l2"):
        solve(np.full((2, 2), np.nan, dtype=np.float32), 1.0)


def test_an_item_may_speak_for_itself():
    world = worlds.loyal()
    settings = {"l2": 5.0, "repeats": "session"}
    model = build("ease", {**settings, "own": 1.0}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()
    assert np.diag(model.state()["weights"]).tolist() == [1.0] * 11
    without = build("ease", settings).fit(world.data, Run())
    assert not np.diag(without.state()["weights"]).any()
    assert (model.similar(np.arange(11, dtype=np.int32), 11).item_rows != 0).any()


def test_what_is_left_out_for_size_is_told():
    said = []
    log = logging.getLogger("inkling.test.ease")
    log.setLevel(logging.INFO)
    log.addFilter(lambda record: said.append(record.getMessage()) is not None)
    build("ease", {"max_items": 5, "l2": 2.0}).fit(worlds.shop(), Run(log=log))
    assert said == ["'ease' holds the 5 most active of 30 items (max_items); to the others it says nothing."]
    build("ease", {"l2": 2.0}).fit(worlds.shop(), Run(log=log))
    assert len(said) == 1


def test_busy_people_can_be_held_down():
    from inkling.testing.worlds import Happening

    honest = [Happening(user, item, user) for user in range(8) for item in (0, 1)]
    robot = [Happening(8, item, 9) for item in range(40)]
    data = worlds.dataset([*honest, *robot], shape=(9, 40))
    free, held = (
        build("ease", {"l2": 1.0, "max_influence": limit}).fit(data, Run()).state()["weights"] for limit in (0, 2.0)
    )
    assert 0 < held[2, 39] < 0.8 * free[2, 39]
    assert held[0, 1] >= free[0, 1] - 0.05


def test_large_systems_are_solved_in_blocks(monkeypatch):
    from inkling.retrieval import _weights

    whole = build("ease", {"l2": 3.0}).fit(worlds.shop(), Run()).state()["weights"]
    monkeypatch.setattr(_weights.row_blocks, "__kwdefaults__", {"size": 7})
    blocks = build("ease", {"l2": 3.0}).fit(worlds.shop(), Run()).state()["weights"]
    assert np.allclose(whole, blocks, atol=1e-3)
