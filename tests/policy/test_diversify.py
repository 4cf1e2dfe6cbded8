from itertools import combinations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.query import History, Query
from inkling.policy import build
from inkling.policy.base import PolicyContext
from inkling.policy.diversify import _dpp, _mmr
from inkling.testing.policy import PolicyContract


class TestMmrContract(PolicyContract):
    name = "diversify"


class TestDppContract(PolicyContract):
    name = "diversify"
    settings = {"method": "dpp", "relevance": 0.3}


def answer(scores, vectors, **settings):
    n = len(scores)
    items = Candidates.of(
        np.array([0, n]), np.arange(n, dtype=np.int32), np.array(scores, dtype=np.float32), source="s"
    )
    query = Query(History.empty(1), np.zeros(1, dtype=np.int64), n, np.zeros(1, dtype=np.int32))
    context = PolicyContext(vectors=np.array(vectors, dtype=np.float32))
    return build("diversify", settings, context).apply(query, items).item_rows.tolist()


CATS_THEN_CARS = [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_another_kind_comes_second(method):
    found = answer([1.0, 0.95, 0.9, 0.85, 0.8], CATS_THEN_CARS, method=method, relevance=0.4)
    assert found[:2] == [0, 3]
    assert sorted(found) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_full_relevance_keeps_the_order(method):
    assert answer([1.0, 0.9, 0.8, 0.7, 0.6], CATS_THEN_CARS, method=method, relevance=1) == [0, 1, 2, 3, 4]


def test_only_the_first_places_and_candidates_move():
    scores = [1.0, 0.95, 0.9, 0.85, 0.8]
    assert answer(scores, CATS_THEN_CARS, relevance=0, length=2) == [0, 3, 1, 2, 4]
    assert answer(scores, CATS_THEN_CARS, relevance=0, depth=3) == [0, 1, 2, 3, 4]


def test_items_without_a_vector_are_like_nothing():
    assert answer([1.0, 0.9, 0.8, 0.7], [[1, 0], [1, 0]], relevance=0.3)[:3] == [0, 2, 3]


def test_dpp_equals_the_greedy_search_over_determinants():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(9, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance, likeness, share = rng.random(9), vectors @ vectors.T, 0.4
    quality = np.exp(share / (2 * (1 - share)) * relevance)
    kernel = (likeness + 0.01 * np.eye(9)) * np.outer(quality, quality)
    slow = []
    for _ in range(4):
        gains = [-1 if i in slow else np.linalg.det(kernel[np.ix_([*slow, i], [*slow, i])]) for i in range(9)]
        slow.append(int(np.argmax(gains)))
    assert _dpp(relevance.astype(np.float32), likeness.astype(np.float32), share, 4) == slow


def test_mmr_without_relevance_spreads_out():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(8, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    chosen = _mmr(np.linspace(1, 0, 8, dtype=np.float32), likeness, 0.0, 2)
    assert likeness[chosen[0], chosen[1]] <= max(likeness[chosen[0]].min(), 0)
    assert (chosen[0], chosen[1]) in [pair for a, b in combinations(range(8), 2) for pair in ((a, b), (b, a))]
