from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from msgspec.structs import replace as replace_scenario  # noqa: E402

from inkling.core.jagged import Jagged  # noqa: E402
from inkling.core.query import History, Query  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.retrieval import build  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.testing.retrieval import RetrieverContract  # noqa: E402
from inkling.testing.worlds import Happening  # noqa: E402

TINY = {"dim": 16, "epochs": 3, "negatives": 16}


class TestHstuContract(RetrieverContract):
    name = "hstu"
    settings = TINY


def by_gap():
    """Everyone takes 0, then 1; who took it at once takes 2 next, who took it a month later takes 3."""
    slow = [Happening(u, item, u + day) for u in range(0, 60, 2) for item, day in ((0, 0), (1, 30), (3, 31))]
    fast = [Happening(u, item, u + day) for u in range(1, 60, 2) for item, day in ((0, 0), (1, 0.001), (2, 1.001))]
    return worlds.dataset(slow + fast, shape=(60, 4))


@pytest.mark.parametrize("time", ["real", "order"])
def test_how_long_ago_something_was_tells_what_is_next_where_times_are_real(time):
    data = by_gap()
    data = replace(data, scenario=replace_scenario(data.scenario, time=time))
    settings = {**TINY, "epochs": 60, "lr": 0.02, "validation": 0.0, "dropout": 0.0, "batch_tokens": 100}
    model = build("hstu", settings).fit(data, Run())
    ts = worlds.START_MS + np.array([0, 90_000, 0, 30 * worlds.DAY_MS], dtype=np.int64)
    history = History.of_items(Jagged.from_lists([[0, 1], [0, 1]]), ts=ts)
    query = Query(history, ts[[1, 3]], 4, np.full(2, -1, dtype=np.int32))
    first = model.retrieve(query, 1).item_rows.tolist()
    if time == "real":
        assert first == [2, 3]
    else:
        assert first[0] == first[1]
        assert np.array_equal(*model.scores(query))
