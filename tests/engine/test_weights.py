"""Weights by length of history."""

from __future__ import annotations

import numpy as np

from inkling.engine.weights import Weights, power


def test_everyone_alike_without_groups():
    weights = Weights({"a": 1.0, "b": 0.5})
    assert dict(weights) == {"a": 1.0, "b": 0.5}
    assert weights.of(3) is weights.everyone
    assert power(weights, ("b", "c"), np.array([0, 99])).tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_each_length_has_its_own():
    weights = Weights({"a": 1.0}, ({"a": 1.0}, {"a": 2.0}, {"a": 3.0, "b": 4.0}))
    assert [dict(weights.of(n)) for n in (0, 4, 5, 19, 20)] == [
        {"a": 1.0}, {"a": 1.0}, {"a": 2.0}, {"a": 2.0}, {"a": 3.0, "b": 4.0}
    ]  # fmt: skip
    assert power(weights, ("a", "b"), np.array([4, 5, 20])).tolist() == [[1, 0], [2, 0], [3, 4]]
    assert power({"a": 1.0}, ("a",), np.array([1])).tolist() == [[1]]


def test_what_was_saved_comes_back():
    weights = Weights({"a": 1.0}, ({"a": 1.0}, {"a": 2.0}, {"a": 3.0}))
    assert Weights.from_builtins(weights.to_builtins()) == weights
