import numpy as np
import pytest

from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


class TestForwardContract(RetrieverContract):
    name = "forward"
    settings = {"l2": 1.0}


class TestForwardSparseContract(RetrieverContract):
    name = "forward"
    settings = {"l2": 1.0, "windows": 3, "neighbours": 7, "max_items": 20, "fit_half_life_days": 20, "signal": "log"}


def seasons():
    """Half of the people had 0, then took 2; the others had 1, then took 3. Later people had 0 or 1 so far."""
    past = [Happening(user, user % 2, 1) for user in range(20)]
    ahead = [Happening(user, 2 + user % 2, 30) for user in range(20)]
    waiting = [Happening(20, 0, 2), Happening(21, 1, 2)]
    return worlds.dataset([*past, *ahead, *waiting], shape=(22, 4))


def test_what_came_after_comes_first():
    data = seasons()
    model = build("forward", {"l2": 1.0, "horizon_days": 10}).fit(data, Run())
    query = data.query(np.array([20, 21], dtype=np.int32))
    assert model.retrieve(query, 1).item_rows.tolist() == [2, 3]
    assert model.similar(np.array([0, 1], dtype=np.int32), 1).item_rows.tolist() == [2, 3]
    assert model.why(query.take([0]), 2)[0].kind == "follows"


def test_it_only_looks_ahead():
    data = seasons()
    model = build("forward", {"l2": 1.0, "horizon_days": 10}).fit(data, Run())
    assert len(model.similar(np.array([2, 3], dtype=np.int32), 4).item_rows) == 0


def test_equals_ridge_regression():
    data = seasons()
    had, took = np.zeros((20, 4)), np.zeros((20, 4))
    had[np.arange(20), np.arange(20) % 2] = took[np.arange(20), 2 + np.arange(20) % 2] = 1
    expected = np.linalg.solve(had.T @ had + 2.0 * np.eye(4), had.T @ took)
    model = build("forward", {"l2": 2.0, "horizon_days": 10}).fit(data, Run())
    assert np.allclose(model.state()["weights"], expected, atol=1e-3)


def test_buying_again_counts_unless_it_is_left_out():
    again = [Happening(user, 0, day) for user in range(20) for day in (1, 30)]
    data = worlds.dataset(again, shape=(20, 2))
    query = data.query(np.array([0], dtype=np.int32))
    for new_only, expected in ((False, [0]), (True, [])):
        model = build("forward", {"l2": 1.0, "horizon_days": 10, "new_only": new_only}).fit(data, Run())
        assert model.retrieve(query, 1).item_rows.tolist() == expected


def test_more_windows_see_more():
    data = worlds.shop()
    query = data.query(np.arange(30, dtype=np.int32))
    one, three = (
        build("forward", {"l2": 1.0, "windows": n, "horizon_days": 10}).fit(data, Run()).scores(query) for n in (1, 3)
    )
    assert not np.allclose(one, three)


def test_without_time_it_says_so():
    data = worlds.dataset([Happening(0, 0, 0)], shape=(1, 1), scenario=Scenario(time="none"))
    with pytest.raises(DataError, match="the data has no time"):
        build("forward").fit(data, Run())
