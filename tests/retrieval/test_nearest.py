from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from inkling.core.jagged import Jagged
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval.base import Placed
from inkling.stores._ivf_index import IvfIndex
from inkling.stores.vectors import VectorTable
from inkling.testing import worlds
from inkling.testing.capability import has

N_ITEMS = 120
MODELS = {
    "als": {"factors": 8, "iterations": 3},
    "bpr": {"factors": 8},
    "softmax_cf": {},
    "semantic": {"encoder": "hashing"},
    "sasrec": {"dim": 16, "epochs": 2, "negatives": 16},
    "two_tower": {"dim": 16, "epochs": 2},
}
NEEDS_TORCH = {"sasrec", "two_tower"}


@pytest.fixture(autouse=True)
def _every_cell(monkeypatch):
    monkeypatch.setattr(IvfIndex, "width", lambda self, depth, *, share=1.0: self.n_cells)


def fitted(name):
    if name in NEEDS_TORCH:
        pytest.importorskip("torch", reason="training is an extra")
    data = worlds.shop(n_items=N_ITEMS, n_users=60, n_events=2000)
    return build(name, MODELS[name]).fit(data, Run(seed=1)), data


def index_of(model):
    return model._served.index if hasattr(model, "_served") else model._index


def limits(query, which):
    rng = np.random.default_rng(3)
    if which == "allowed":
        return replace(query, allowed=rng.random(query.n_items) < 0.4)
    if which == "exclude":
        return replace(
            query, exclude=Jagged.from_lists([rng.integers(0, query.n_items, 15) for _ in range(len(query))])
        )
    return query


@pytest.mark.parametrize("name", MODELS)
def test_an_index_answers_as_a_scan_does(name):
    model, data = fitted(name)
    query = data.query(np.array([*range(8), -1], dtype=np.int32))
    index = index_of(model)
    for which in ("free", "allowed", "exclude"):
        asked = limits(query, which)
        index.index_from = 10**9
        scanned = model.retrieve(asked, 20)
        index.index_from = 50
        vectors = model._served.factors.vectors if hasattr(model, "_served") else getattr(model, "_items", None)
        index.wait(model._vectors if vectors is None else vectors)
        assert model.nearest(asked, 20) is not None
        found = model.retrieve(asked, 20)
        np.testing.assert_array_equal(found.offsets, scanned.offsets)
        np.testing.assert_allclose(found.scores, scanned.scores, rtol=2e-4, atol=1e-5)
        assert (found.item_rows == scanned.item_rows).mean() > 0.97  # equal scores may change places


@pytest.mark.parametrize("name", ["semantic"])
def test_a_new_item_is_found_at_once(name):
    model, data = fitted(name)
    index = index_of(model)
    index.index_from = 50
    index.wait(model._vectors)
    query = data.query(np.array([3], dtype=np.int32))
    profile = next(model._profiles(query))
    fresh = np.linalg.lstsq(model._axes.T, profile, rcond=None)[0] if model._axes.size else profile
    model.put_items(np.array([N_ITEMS], dtype=np.int32), fresh[None])
    query = replace(query, allowed=None)
    asked = replace(query, n_items=N_ITEMS + 1)
    assert N_ITEMS in model.nearest(asked, 60)[0][0]
    assert N_ITEMS not in model.nearest(query, 60)[0][0]
    model.put_items(np.array([N_ITEMS], dtype=np.int32), np.zeros_like(fresh)[None])
    assert N_ITEMS not in model.nearest(asked, 60)[0][0]


def test_candidates_and_small_catalogues_are_scanned():
    model, data = fitted("als")
    query = data.query(np.array([1], dtype=np.int32))
    assert model.nearest(query, 5) is None
    model._served.index.index_from = 50
    assert model.nearest(replace(query, candidates=Jagged.from_lists([[1, 2]])), 5) is None


def test_until_the_index_is_ready_everything_is_scanned():
    vectors = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    data = worlds.shop(n_items=100)
    query = data.query(np.array([1], dtype=np.int32))
    items = NearestItems(index_from=200)
    assert items.top(vectors, vectors[:1], query, 5) is None
    items.put(np.array([1], dtype=np.int32), vectors[:1])
    items.index_from = 50
    items.wait(vectors)
    assert items.top(vectors, vectors[:1], query, 5)[0][0][0] == np.argmax(vectors @ vectors[0])
    assert items.top(vectors, vectors[:1], query, 5000) is None


def test_what_comes_while_the_index_is_filled_is_found(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    query = replace(worlds.shop(n_items=100).query(np.array([1], dtype=np.int32)), allowed=None)
    items, began, go = NearestItems(index_from=50), Event(), Event()
    put = VectorTable.put

    def slow(self, rows, given):
        if len(rows) == 100:
            began.set()
            go.wait(10)
        put(self, rows, given)

    monkeypatch.setattr(VectorTable, "put", slow)
    assert items.top(vectors, vectors[:1], query, 5) is None
    began.wait(10)
    long = np.array([[9.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    items.put(np.array([7], dtype=np.int32), long)
    items.put(np.array([8], dtype=np.int32), np.zeros((1, 4), dtype=np.float32))
    changed = vectors.copy()
    changed[7], changed[8] = long, 0.0
    go.set()
    items.wait(changed)
    found = items.top(changed, long, query, 100)[0][0]
    assert found[0] == 7
    assert 8 not in found


@pytest.mark.parametrize("name", [name for name in MODELS if name != "semantic"])
def test_people_and_items_in_one_space_say_what_the_model_says(name):
    model, data = fitted(name)
    query = data.query(np.array([1, 2, 5], dtype=np.int32))
    assert has(model, Placed)
    products = model.place(query) @ model.vectors.T
    scores = model.scores(query)
    for mine, theirs in zip(products, scores, strict=True):
        known = model.vectors.any(axis=1)
        order, expected = np.argsort(-mine[known]), np.argsort(-theirs[known])
        np.testing.assert_array_equal(order[:10], expected[:10])
