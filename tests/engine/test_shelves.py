"""An item that nobody has read yet stands beside its category."""

from __future__ import annotations

import numpy as np

from inkling.engine.shelves import Shelves, categories_of

ITEMS = {
    0: {"categories": ["cat"]},
    1: {"categories": ["cat"]},
    2: {"categories": ["car"]},
    3: {"categories": ["cat"]},
    4: {"categories": ["boat"]},
    5: {"categories": ["cat", "car"]},
}
VECTORS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


def test_the_mean_of_its_category_stands_in():
    shelves = Shelves(ITEMS.get, lambda: VECTORS)
    found, vectors = shelves.stand_ins(np.array([0, 3, 4, 5], dtype=np.int32))
    assert found.tolist() == [3, 5]  # 0 is read, and nothing is known of boats
    np.testing.assert_allclose(vectors, [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_what_is_read_later_counts_from_then_on():
    vectors = np.vstack([VECTORS, [[0, 0, 0], [0, 0.6, 0.8]]]).astype(np.float32)
    shelves = Shelves(ITEMS.get, lambda: vectors)
    assert shelves.stand_ins(np.array([3], dtype=np.int32))[0].tolist() == [3]
    boat = {**ITEMS, 6: {"categories": ["boat"]}}
    shelves = Shelves(boat.get, lambda: vectors)
    shelves.put(np.array([4], dtype=np.int32))
    found, stand_ins = shelves.stand_ins(np.array([6], dtype=np.int32))
    assert found.tolist() == [6]
    np.testing.assert_allclose(stand_ins, [[0, 0.6, 0.8]])


def test_without_vectors_there_is_no_stand_in():
    found, vectors = Shelves(ITEMS.get, lambda: np.zeros((0, 0), np.float32)).stand_ins(np.array([3], np.int32))
    assert (len(found), vectors.shape) == (0, (0, 0))
    found, vectors = Shelves(ITEMS.get, lambda: VECTORS).stand_ins(np.array([4], np.int32))
    assert (len(found), vectors.shape) == (0, (0, 3))


def test_categories_that_are_none():
    assert categories_of(None) == categories_of({"categories": 5}) == categories_of({}) == []
    assert categories_of({"categories": ["a", 3, "b"]}) == ["a", "b"]
