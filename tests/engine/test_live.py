"""Views of the log: contexts, choices, and what a snapshot cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.scenario import Scenario
from inkling.engine.live import LiveViews
from inkling.stores.base import Changes
from inkling.testing.worlds import shop

SCENARIO = Scenario(positive={"buy": 2.0}, signals={"view": 0.5}, positive_value={"buy": 3.0}, context=("country",))


def event(item, *, user="ann", name="buy", ts=1000, **more):
    return {"user_id": user, "item_id": item, "event": name, "timestamp": ts, "event_id": f"{user}{item}{ts}"} | more


class Log:
    """Gives blocks their versions."""

    def __init__(self, views):
        self.views, self.version = views, 0

    def __call__(self, kind, *rows, how="apply"):
        self.version += len(rows)
        return getattr(self.views, how)(Changes(kind, rows, self.version))


@pytest.fixture
def views():
    return LiveViews(SCENARIO)


def test_events_come_back_in_rows(views):
    got = Log(views)(
        "events", event("a", value=5, context={"country": "FR"}), event("b", name="view"), event("a", value=1)
    )
    assert got.item_rows.tolist() == [0, 1, 0]
    assert got.weights.tolist() == [2.0, 0.5, 0.0]
    assert got.positive.tolist() == [True, False, False]
    assert [got.event_names[code] for code in got.events] == ["buy", "view", "buy"]
    assert got.context["country"].tolist() == [0, -1, -1]
    assert np.isnan(got.values[1])
    assert (views.n_events, views.newest_ts) == (3, 1000)


def test_what_is_no_event_for_models_is_none(views):
    log = Log(views)
    assert log("events", {"user_id": "ann", "event": "query", "text": "tea", "timestamp": 5}) is None
    assert log("events", event("a", name="impression")) is None
    assert log("items", {"item_id": "a", "title": "mug"}) is None
    assert views.n_events == 0
    assert views.title_of(0) == "mug"


def test_the_newest_context_of_each_person_is_kept_until_they_are_erased(views):
    log = Log(views)
    log("events", event("a", context={"country": "FR", "device": "tv"}), event("b", ts=2000, context={"country": "ES"}))
    row = views.user_ids.row_of("ann")
    assert views.contexts[row] == {"country": "ES", "device": "tv"}
    assert views.knows(row)
    log("erase", {"user_id": "ann"})
    assert row not in views.contexts
    assert not views.knows(row)


def test_a_choice_acts_from_its_own_place_in_the_log(views):
    log = Log(views)
    choice = {"user_id": "ann", "event": "opt_out", "timestamp": 1, "event_id": "c"}
    got = log("events", event("a"), choice, event("b"), event("b", user="bob"))
    assert views.item_ids.ids(got.item_rows) == ["a", "b"]
    assert views.state.n_events(views.user_ids.row_of("ann")) == 1
    assert log("events", event("c")) is None
    log("events", {**choice, "event": "opt_in"})
    assert len(log("events", event("c"))) == 1


def test_a_snapshot_and_what_it_cannot_hold():
    data = shop()
    views = LiveViews(data.scenario)
    views.load(data)
    assert views.n_events == len(data.interactions)
    assert views.newest_ts == data.until
    assert views.available(data.until).all()
    assert len(views.available(data.until, n_items=3)) == 3
    log, before = Log(views), views.state.n_events(0)
    log("users", {"user_id": "u0", "city": "Oslo"}, how="remember")
    log("events", event("i0", user="u0"), {"user_id": "u0", "event": "opt_out", "timestamp": 1}, how="remember")
    log("delete_items", {"item_id": "i1"}, how="remember")
    log("merge", {"user_id": "u0", "session_id": "s1"}, how="remember")
    assert views.people.get(0)["city"] == "Oslo"
    assert views.state.n_events(0) == before  # the snapshot holds the events already
    assert "u0" in views.consent.not_stored
    assert not views.available(data.until)[1]
    log("events", {"session_id": "s1", "item_id": "i2", "event": "interaction", "timestamp": data.until})
    assert views.state.n_events(0) == before + 1
    assert views.people_rows() == [{"user_id": "u0", "city": "Oslo"}]
