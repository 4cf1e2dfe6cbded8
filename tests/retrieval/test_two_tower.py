import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="training is an extra")

from inkling.core.errors import DataError, MissingExtraError  # noqa: E402
from inkling.core.query import History, Query  # noqa: E402
from inkling.core.run import Run  # noqa: E402
from inkling.core.scenario import Scenario  # noqa: E402
from inkling.core.tables import Items, People  # noqa: E402
from inkling.retrieval._windows import Windows, latest  # noqa: E402
from inkling.retrieval.two_tower import TwoTower, TwoTowerConfig  # noqa: E402
from inkling.testing import worlds  # noqa: E402
from inkling.testing.retrieval import RetrieverContract  # noqa: E402
from inkling.testing.worlds import Happening  # noqa: E402

SMALL = {"dim": 8, "hidden": 8, "length": 6, "buckets": 64, "epochs": 1, "batch": 128, "negatives": 8}


def without_order(data):
    return replace(data, scenario=Scenario(time="none"))


class Letters:
    """An encoder that counts letters."""

    dim = 26

    def encode(self, texts):
        return np.array([[text.count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)


def fitted(data, *, encoder=None, **settings):
    return TwoTower(TwoTowerConfig(**{**SMALL, **settings}), encoder=encoder).fit(data, Run(seed=1))


class TestTwoTowerContract(RetrieverContract):
    name = "two_tower"
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


def test_people_get_what_people_like_them_had():
    world = worlds.checkerboard(12)
    model = fitted(without_order(world.data), epochs=40, batch=32, learning_rate=0.02, length=12)
    found = model.retrieve(world.query, 1)
    right = found.item_rows % 2 == found.segment_rows % 2
    assert right.mean() > 0.9


def attributes(data):
    kinds = [["round" if row % 2 == 0 else "flat"] for row in range(data.n_items)]
    frame = data.items.frame.with_columns(pl.Series("categories", kinds), price=pl.int_range(data.n_items) * 1.5)
    about = pl.DataFrame({"user_id": data.user_ids.ids(), "club": [f"c{row % 2}" for row in range(data.n_users)]})
    return replace(data, items=Items(frame), people=People(about))


def test_a_cold_item_is_found_by_its_attributes():
    # Nobody had items 10 and 11; even people had even items, and 10 says that it is like those.
    data = attributes(worlds.dataset(
        [Happening(u, i, u + i / 10) for u in range(10) for i in range(10) if (u + i) % 2 == 0], shape=(10, 12)
    ))  # fmt: skip
    model = fitted(without_order(data), epochs=40, batch=32, learning_rate=0.02, forget=0.5)
    scores = model.scores(data.query(np.arange(10, dtype=np.int32)))
    assert (scores[::2, 10] > scores[::2, 11]).all()
    assert (scores[1::2, 11] > scores[1::2, 10]).all()


def test_what_a_person_is_speaks_for_somebody_without_a_history():
    data = attributes(worlds.checkerboard(10).data)
    model = fitted(without_order(data), epochs=20, batch=32, learning_rate=0.02)
    query = Query(History.empty(2), np.full(2, data.until), 10, np.array([2, 3], dtype=np.int32))
    scores = model.scores(query)
    even = scores[:, ::2].mean(axis=1) - scores[:, 1::2].mean(axis=1)
    assert even[0] > 0 > even[1]


@pytest.mark.parametrize("encoder", [None, Letters()], ids=["plain", "text"])
def test_numpy_answers_as_the_network(encoder):
    from inkling.training.nets.towers import Known
    from inkling.training.nets.towers import TwoTower as Net

    data = attributes(worlds.shop())
    model = fitted(data, encoder=encoder)
    state = model.state()
    words = torch.from_numpy(state["item_words"]), torch.from_numpy(state["people_words"])
    texts = None
    if encoder is not None:
        read = encoder.encode(data.items.texts())
        texts = torch.from_numpy(read / np.linalg.norm(read, axis=1, keepdims=True))
    net = Net(Known(*words, 64, texts), torch.zeros(30, 8), hidden=8, length=6, forget=0.0).eval()
    buffers = {"said", "item_words", "people_words", "trained"}
    net.load_state_dict({name: torch.from_numpy(a) for name, a in state.items() if name not in buffers})
    query = data.query(np.arange(5, dtype=np.int32))
    histories = torch.from_numpy(latest(query.history, 6, 30).astype(np.int64))
    with torch.no_grad():
        logits = net.logits(histories, torch.arange(5), torch.zeros(5, dtype=torch.long), torch.arange(30))[1][:, 5:]
    trained = state["trained"]
    assert np.allclose(model.scores(query)[:, trained], logits.numpy()[:, trained], atol=1e-5)


def test_new_items_come_in_through_their_tower():
    data = worlds.shop()
    model = fitted(data, encoder=Letters(), epochs=3)
    before = model.scores(data.query(np.array([1], dtype=np.int32)))
    new = Letters().encode([*data.items.texts()[4:5], "zzz"])
    model.put_items(np.array([31, 30], dtype=np.int32), new)
    grown = replace(data.query(np.array([1], dtype=np.int32)), n_items=32, allowed=None)
    after = model.scores(grown)
    assert np.allclose(after[:, :30], before)
    assert (after[0, 30:] != 0).all()
    assert len(model.similar(np.array([31], dtype=np.int32), 40).item_rows) == 31
    loaded = TwoTower(model.config).load_state(model.state())
    assert np.allclose(loaded.scores(grown), after, atol=1e-6)


def test_vectors_of_another_length_are_refused():
    model = fitted(worlds.shop(), encoder=Letters())
    with pytest.raises(DataError, match="reads vectors of 26 numbers and was given 3"):
        model.put_items(np.array([1], dtype=np.int32), np.ones((1, 3), dtype=np.float32))


def test_a_model_without_text_passes_vectors_over():
    model = fitted(worlds.shop())
    before = model.scores(worlds.shop().query(np.array([1], dtype=np.int32)))
    model.put_items(np.array([1], dtype=np.int32), np.ones((1, 3), dtype=np.float32))
    assert np.array_equal(model.scores(worlds.shop().query(np.array([1], dtype=np.int32))), before)


def test_histories_are_what_came_before_or_all_others():
    happenings = [Happening(0, item, item) for item in range(5)] + [Happening(1, 7, 9)]
    data = worlds.dataset(happenings, shape=(2, 8))
    rng = np.random.default_rng(0)
    before = Windows.of(data.interactions, 3, ordered=True, rng=rng)
    rows = before.histories(np.arange(6))
    expected = [[-1, -1, -1], [0, -1, -1], [1, 0, -1], [2, 1, 0], [3, 2, 1], [-1, -1, -1]]
    assert rows.tolist() == expected
    others = Windows.of(data.interactions, 6, ordered=False, rng=rng)
    for place in range(5):
        found = others.histories(np.array([place]))[0]
        assert sorted([*found[found >= 0].tolist(), int(others.items[place])]) == [0, 1, 2, 3, 4]
    assert (others.histories(np.array([5])) == -1).all()
    assert ((others.histories(np.arange(5)) >= 0).sum(axis=1) == 4).all()


def test_data_without_an_order_is_fitted_on_all_others():
    data = without_order(worlds.shop())
    assert np.isfinite(fitted(data).scores(data.query(np.arange(3, dtype=np.int32)))).all()


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"'two_tower' needs torch.*pip install 'inkling\[train\]'"):
        fitted(worlds.shop())
