from __future__ import annotations

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.query import History, Query
from inkling.engine.pipeline import Trace
from inkling.engine.rereading import RankConfig, Rereader
from inkling.ranking.cross_encoder import CrossEncoder


class Liking:
    """Likes an item the more, the higher its row."""

    def __init__(self):
        self.n_read = 0
        self.told = []

    def score(self, query, items):
        self.n_read += len(items.item_rows)
        return items.with_scores(items.item_rows.astype(np.float32))

    def read(self, item_rows, titles, texts):
        self.told.append((item_rows.tolist(), titles, texts))


def asked(n_people=1):
    return Query(History.empty(n_people), np.zeros(n_people, np.int64), 9, np.full(n_people, -1, np.int32))


def shelf(*lists):
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    rows = np.concatenate(lists).astype(np.int32)
    scores = np.concatenate([np.linspace(1, 0.5, len(one)) for one in lists]).astype(np.float32)
    return Candidates.of(offsets, rows, scores, source="toy")


def rereader(model=None, **settings):
    return Rereader(model or Liking(), **{"candidates": 3, "budget_ms": 1e9, "cost_ms": 1.0, **settings})


def test_the_first_change_places_and_the_scores_stay_where_they_were():
    items, trace = shelf([1, 5, 3, 8], [2, 7]), Trace()
    found = rereader().reread(asked(2), items, trace)
    assert found.rows_of(0).tolist() == [5, 3, 1, 8]
    assert found.rows_of(1).tolist() == [7, 2]
    assert found.scores.tolist() == items.scores.tolist()
    assert trace.left_out == []
    alone = rereader().reread(asked(), shelf([2, 7]), Trace())
    assert alone.rows_of(0).tolist() == found.rows_of(1).tolist()


@pytest.mark.parametrize(
    ("budget_ms", "first", "told"),
    [
        (1000.0, [5, 3, 1, 8], []),
        (250.0, [5, 1, 3, 8], ["cross encoder: 2 of 3 candidates read in time"]),
        (150.0, [1, 5, 3, 8], ["cross encoder: 0 of 3 candidates read in time"]),
    ],
)
def test_what_finds_no_time_keeps_its_place_and_is_named(budget_ms, first, told):
    """100 ms a candidate: of a request's budget, and of the setting's."""
    for own, given in ((1e9, budget_ms), (budget_ms, None)):
        trace = Trace(given)
        found = rereader(cost_ms=100.0, budget_ms=own).reread(asked(), shelf([1, 5, 3, 8]), trace)
        assert found.rows_of(0).tolist() == first
        assert trace.left_out == told


def test_one_candidate_has_no_order_and_none_is_missed():
    model, trace = Liking(), Trace(0.001)
    items = shelf([4])
    assert rereader(model).reread(asked(), items, trace) is items
    assert (model.n_read, trace.left_out) == (0, [])


def test_the_cost_follows_what_reading_takes():
    one = rereader(cost_ms=50.0)
    one.reread(asked(), shelf([1, 5, 3]), Trace())
    assert 39 < one.cost_ms < 45  # a fifth of it is the last answer's, which took next to nothing


def test_new_items_are_read():
    model = Liking()
    rereader(model).put_items(
        np.array([3], np.int32), [{"title": "tea", "description": "green", "categories": ["drinks"]}]
    )
    assert model.told[0][:2] == ([3], ["tea"])
    assert "green" in model.told[0][2][0]


def test_it_comes_back_from_what_it_kept():
    one = rereader(CrossEncoder())
    again = Rereader.load(one.about(), one.state(), RankConfig(candidates=7, cross_budget_ms=3.0))
    assert (again.candidates, again.budget_ms, again.cost_ms) == (7, 3.0, 1.0)
    assert again.model.config == one.model.config
