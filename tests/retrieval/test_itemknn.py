import numpy as np
import pytest

from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening


class TestItemKnnContract(RetrieverContract):
    name = "itemknn"


class TestItemKnnBm25Contract(RetrieverContract):
    name = "itemknn"
    settings = {"weighting": "bm25", "signal": "sum", "neighbours": 6, "half_life_days": 10, "own": 0.5}


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("signal", ["binary", "log", "sum"])
def test_the_withheld_diagonal_comes_first(weighting, signal):
    world = worlds.checkerboard()
    model = build("itemknn", {"weighting": weighting, "signal": signal}).fit(world.data, Run())
    assert model.retrieve(world.query, 1).item_rows.tolist() == world.first.tolist()


def likeness(happenings, item=0, **settings):
    data = worlds.dataset(happenings, shape=(9, 4))
    model = build("itemknn", {"shrink": 0, **settings}).fit(data, Run())
    asked = Query(History.of_items(Jagged.from_lists([[item]])), np.zeros(1, np.int64), 4, np.full(1, -1, np.int32))
    return model.scores(asked)[0].round(4).tolist()


PAIRS = [
    Happening(0, 0, 0, 0),
    Happening(0, 1, 0, 0),
    Happening(1, 0, 1, 1),
    Happening(2, 1, 2, 2),
    Happening(0, 2, 9, 3),
]


def test_cosine_by_hand():
    assert likeness(PAIRS) == [0, 0.5, pytest.approx(1 / np.sqrt(2), abs=1e-4), 0]


def test_shrink_power_and_own():
    assert likeness(PAIRS, shrink=2)[1] == 0.25
    assert likeness(PAIRS, power=1)[1] == 0.25
    assert likeness(PAIRS, own=0.5)[0] == 0.5


def test_only_the_nearest_are_kept():
    assert likeness(PAIRS, neighbours=1) == [0, 0, pytest.approx(1 / np.sqrt(2), abs=1e-4), 0]


def test_sessions_as_units():
    assert likeness(PAIRS, unit="session")[1:3] == [0.5, 0]


def test_people_with_too_many_items_are_left_out():
    assert likeness(PAIRS, max_unit_items=2) == [0, 0, 0, 0]
    assert likeness(PAIRS, max_unit_items=3)[1] == 0.5


def test_old_events_fade():
    plain, faded = likeness(PAIRS)[2], likeness(PAIRS, fit_half_life_days=3)[2]
    assert faded != plain


def test_the_word_of_one_person_can_be_limited():
    robot = [Happening(3, item, 3) for item in range(4)]
    free = likeness([*PAIRS, *robot], weighting="cosine")
    held = likeness([*PAIRS, *robot], weighting="cosine", max_influence=1.0)
    assert held[3] < free[3]
    assert held[2] > held[3]
    assert likeness(PAIRS, max_influence=100.0) == likeness(PAIRS)


def test_busy_people_say_less():
    busy = [Happening(0, item, 0) for item in range(4)]
    calm = [Happening(1, 0, 1), Happening(1, 1, 1)]
    for weighting in ("tfidf", "bm25"):
        found = likeness([*busy, *calm, Happening(2, 2, 2), Happening(3, 2, 2)], weighting=weighting)
        assert found[1] > found[3] > 0


def test_bm25_saturates_and_knows_length():
    often = [Happening(0, 0, day) for day in range(20)] + [Happening(0, 1, 0), Happening(1, 0, 0)]
    loud = likeness(often, weighting="bm25", signal="sum", k1=100)[1]
    quiet = likeness(often, weighting="bm25", signal="sum", k1=0)[1]
    assert loud > 2 * quiet
    assert (
        likeness(often, weighting="bm25", signal="sum", b=0)[1]
        != likeness(often, weighting="bm25", signal="sum", b=1)[1]
    )


def test_neighbours_of_a_large_catalogue_are_found_in_blocks(monkeypatch):
    from inkling.retrieval import _neighbours

    whole = build("itemknn", {"neighbours": 4}).fit(worlds.shop(), Run()).state()
    monkeypatch.setattr(_neighbours, "_BLOCK_CELLS", 64)
    monkeypatch.setattr(_neighbours, "_LEAST_ROWS", 3)
    blocks = build("itemknn", {"neighbours": 4}).fit(worlds.shop(), Run()).state()
    assert blocks["neighbours"].tolist() == whole["neighbours"].tolist()
    assert np.allclose(blocks["strengths"], whole["strengths"])


def test_why_rests_on_what_people_share():
    world = worlds.checkerboard()
    model = build("itemknn").fit(world.data, Run())
    found = model.why(world.query.take([0]), 0)
    assert {because.item_row for because in found} == set(range(2, 20, 2))
    total = sum(because.weight for because in found)
    assert total == pytest.approx(float(model.scores(world.query)[0, 0]), rel=1e-4)
