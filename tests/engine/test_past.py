"""Members that take minutes: who may learn at all, within what time, and where each fit goes on."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from inkling.core.config import Config
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine import members as module
from inkling.engine.members import carried, is_slow, within
from inkling.engine.order import Orders
from inkling.engine.past import Past
from inkling.engine.recall import MemberConfig
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.engine.windows import windows
from inkling.retrieval import RETRIEVERS
from inkling.testing.worlds import shop

MEMBERS = {
    "popular": MemberConfig(retriever="popular", settings={"half_life_days": 7.0}),
    "deep": MemberConfig(retriever="deep"),
}


class DeepConfig(Config, frozen=True, kw_only=True):
    max_seconds: float = 0.0


class Deep:
    """Counts; each fit goes on from what it carries. ``log`` holds (carried fits, events, seconds) of each fit."""

    name = "deep"
    Config = DeepConfig
    log: list = []
    fails = False

    def __init__(self, config=None):
        self.config = config or DeepConfig()
        self.before = 0
        self.counts = np.zeros(0, dtype=np.float32)

    def carry(self, state, item_ids):
        assert len(item_ids) == len(state["counts"])
        self.before = int(state["fits"][0])
        return self

    def fit(self, data, run):
        if self.fails:
            raise DataError("'deep' cannot be fitted: it is tired.")
        self.log.append((self.before, len(data.interactions), self.config.max_seconds))
        self.counts = np.bincount(data.interactions.item_rows, minlength=data.n_items).astype(np.float32)
        self.before += 1
        return self

    def scores(self, query):
        return np.tile(self.counts, (len(query), 1))

    def retrieve(self, query, k):
        raise AssertionError

    def state(self):
        return {"counts": self.counts, "fits": np.array([self.before])}


@pytest.fixture
def deep(monkeypatch):
    known = RETRIEVERS.get
    monkeypatch.setattr(type(RETRIEVERS), "get", lambda self, name: Deep if name == "deep" else known(name))
    monkeypatch.setattr(Deep, "log", [])
    monkeypatch.setattr(module, "DEEP_EVENTS", 50)
    return Deep


def past(members):
    return Past(members, TextReader("hashing"), Shown(Scenario()), ("own",), 50)


def test_slow_is_what_can_go_on(deep):
    assert is_slow(MEMBERS["deep"])
    assert not is_slow(MEMBERS["popular"])
    assert within(MEMBERS["deep"], float("inf")) is MEMBERS["deep"]
    limited = within(MEMBERS["deep"], 9.0)
    assert limited.settings == {"max_seconds": 9.0}
    assert within(limited, 20.0).settings == {"max_seconds": 9.0}


def test_who_cannot_learn_is_left_out_with_the_reason(deep, monkeypatch):
    data = shop()
    assert set(carried(MEMBERS, data, seconds=9).members) == {"popular", "deep"}
    assert carried(MEMBERS, data, seconds=0).left_out == {"deep": "there is no time for it"}
    timeless = replace(data, scenario=msgspec.structs.replace(data.scenario, time="none"))
    assert carried(MEMBERS, timeless, seconds=9).left_out == {"deep": "the data has no time"}
    monkeypatch.setattr(module, "DEEP_EVENTS", 5000)
    assert "are too few, it begins at 5,000" in carried(MEMBERS, data, seconds=9).left_out["deep"]


class Finds(Orders):
    """Says that everybody is needed, or that the slow one is not."""

    needed = True

    def superfluous(self, newest, names, run, *, costly=frozenset()):
        assert costly == {"deep"}
        return () if self.needed else ("deep",)


class FindsNoUse(Finds):
    needed = False


def test_each_older_window_goes_on_from_the_one_before(deep):
    found = windows(shop(), 3, Run())
    looked = past(dict(MEMBERS))
    judged = looked.look(found, Finds(("fused",), {}), Run(), deadline=float("inf"), seconds=100)
    assert len(judged) == 3
    newest, middle, oldest = (len(window.train.interactions) for window in found)
    assert deep.log == [(0, newest, 50.0), (0, oldest, 30.0), (1, middle, 20.0)]
    assert set(looked.members) == {"popular", "deep"}
    assert all("says_deep" in window.items.fields for window in judged)


def test_the_newest_window_is_all_that_a_useless_one_costs(deep):
    looked = past(dict(MEMBERS))
    judged = looked.look(windows(shop(), 3, Run()), FindsNoUse((), {}), Run(), deadline=float("inf"), seconds=100)
    assert len(deep.log) == 1
    assert looked.dropped == ("deep",)
    assert len(judged) == 3
    assert all("says_deep" not in window.items.fields for window in judged)


def test_one_that_fails_leaves_the_others(deep, monkeypatch):
    monkeypatch.setattr(Deep, "fails", True)
    looked = past(dict(MEMBERS))
    judged = looked.look(windows(shop(), 2, Run()), Orders(("fused",), {}), Run(), deadline=float("inf"), seconds=9)
    assert len(judged) == 2
    assert set(looked.members) == {"popular"}
    assert looked.left_out == {"deep": "'deep' cannot be fitted: it is tired."}
    assert all("says_deep" not in window.items.fields for window in judged)


def test_windows_beyond_the_deadline_are_not_looked_at(deep):
    found = windows(shop(), 3, Run())
    late = time.perf_counter() - 1
    assert len(past(dict(MEMBERS)).look(found, Orders(("fused",), {}), Run(), deadline=late, seconds=9)) == 1
