import numpy as np
import pytest
from scipy.sparse import csr_array

from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval.bpr import draw, pairs_loss, score_gaps
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

SMALL = {"factors": 8, "epochs": 4}


class TestBprContract(RetrieverContract):
    name = "bpr"
    settings = SMALL


class TestBprAllContract(RetrieverContract):
    name = "bpr"
    settings = {**SMALL, "predict": "all", "signal": "log", "negatives": 2}


def obvious(people, items, pairs):
    total = 0.0
    for person, better, worse, weight in zip(*pairs, strict=True):
        gap = people[person] @ items[better] - people[person] @ items[worse]
        total -= weight * np.log(1 / (1 + np.exp(-gap)))
    return total / pairs[3].sum()


def step():
    rng = np.random.default_rng(0)
    pairs = (rng.integers(0, 4, 20), rng.integers(0, 6, 20), rng.integers(0, 6, 20), rng.integers(1, 4, 20) / 1.0)
    return rng.normal(size=(4, 3)), rng.normal(size=(6, 3)), pairs


def test_equals_the_formula_and_its_slopes_finite_differences():
    people, items, pairs = step()
    loss, by_people, by_items = pairs_loss(people, items, pairs)
    assert loss == pytest.approx(obvious(people, items, pairs))
    for parameter, slope in ((people, by_people), (items, by_items)):
        for place in np.ndindex(parameter.shape):
            before, h = parameter[place], 1e-6
            parameter[place] = before + h
            above = obvious(people, items, pairs)
            parameter[place] = before - h
            below = obvious(people, items, pairs)
            parameter[place] = before
            assert slope[place] == pytest.approx((above - below) / (2 * h), abs=1e-6)


def test_gaps_are_the_same_either_way():
    people, items, pairs = step()
    many = tuple(np.tile(part, 3) for part in pairs)
    few = tuple(part[:1] for part in pairs)
    expected = [people[row] @ (items[better] - items[worse]) for row, better, worse, _ in zip(*many, strict=True)]
    assert np.allclose(score_gaps(people, items, many), expected)
    wide = np.vstack([items, np.ones((100, 3))])
    assert np.allclose(score_gaps(people, wide, few), expected[:1])


def test_what_a_person_had_is_never_held_against_them():
    rng = np.random.default_rng(1)
    had = csr_array((rng.random((30, 12)) < 0.5).astype(np.float32))
    rows, better, worse, weights = draw(had, had, 5, rng)
    dense = had.toarray() > 0
    assert dense[rows, better].all()
    assert not dense[rows, worse].any()
    assert 0 < len(weights) < 5 * had.nnz


def test_the_withheld_diagonal_comes_first():
    world = worlds.checkerboard()
    model = build("bpr", {"factors": 4, "epochs": 60, "learning_rate": 0.05}).fit(world.data, Run())
    found = model.retrieve(world.query, 1).item_rows
    assert (found % 2 == world.first % 2).all()


def test_two_tastes_are_kept_apart():
    world = worlds.two_tastes()
    model = build("bpr", {"factors": 4, "epochs": 40, "learning_rate": 0.05}).fit(world.data, Run())
    scores = model.scores(world.query)
    assert scores[0, [0, 1, 2]].min() > scores[0, [4, 5, 6]].max()
    assert scores[1, [4, 5, 6]].min() > scores[1, [0, 1, 2]].max()
