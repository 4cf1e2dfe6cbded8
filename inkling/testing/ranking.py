"""What every ranker keeps: subclass :class:`RankerContract` in a test, name the model, and pytest does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np
import pytest

from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.ranking import build
from inkling.ranking.base import Attributable, Flat, Ranker, RankingSet
from inkling.testing.capability import has
from inkling.testing.worlds import DAY_MS, START_MS

_FITTED: dict[type, Any] = {}


def tasks(*, n_people: int = 150, n_items: int = 12, seed: int = 0) -> RankingSet:
    """Return candidates of which each person took the two with the largest ``signal``.

    Besides it: ``noise``, ``constant``, and ``gap``, which is missing (NaN) for half of the items. Further labels:
    ``conversion``, the better of the two; ``rating``, the signal from 1 to 5. Histories are random.
    """
    rng = np.random.default_rng(seed)
    n = n_people * n_items
    signal = rng.normal(size=(n_people, n_items)).astype(np.float32)
    labels = (signal >= np.sort(signal, axis=1)[:, [-2]]).astype(np.float32)
    columns = {
        "signal": signal.ravel(),
        "noise": rng.normal(size=n).astype(np.float32),
        "constant": np.ones(n, dtype=np.float32),
        "gap": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)).astype(np.float32),
    }
    rows = np.tile(np.arange(n_items, dtype=np.int32), n_people)
    offsets = np.arange(n_people + 1, dtype=np.int64) * n_items
    items = Candidates.of(offsets, rows, np.zeros(n, dtype=np.float32), source="toy").with_fields(columns)
    further = {
        "conversion": (signal >= signal.max(axis=1, keepdims=True)).astype(np.float32).ravel(),
        "rating": np.clip(3 + signal, 1, 5).ravel(),
    }
    return RankingSet(_people(n_people, n_items, rng), items, labels.ravel(), further=further)


def _people(n_people: int, n_items: int, rng: np.random.Generator) -> Query:
    """Return people who had up to five items, one a day, and rated them; the question comes at noon the day after."""
    lists = [rng.integers(0, n_items, n).astype(np.int32) for n in rng.integers(0, 6, n_people).tolist()]
    items = Jagged.from_lists(lists)
    days = np.concatenate([np.arange(len(one)) for one in lists]).astype(np.int64)
    history = History.of_items(items, ts=START_MS + days * DAY_MS)
    rated = replace(history, values=rng.integers(1, 6, len(days)).astype(np.float32))
    now = np.full(n_people, START_MS + 6 * DAY_MS, dtype=np.int64)
    return Query(rated, now, n_items, np.full(n_people, -1, dtype=np.int32))


def _nobody(n_people: int, n_items: int) -> Query:
    return Query(
        History.empty(n_people), np.zeros(n_people, dtype=np.int64), n_items, np.full(n_people, -1, dtype=np.int32)
    )


class RankerContract:
    """The contract of a ranker as tests. ``name`` is the registered name.

    A ranker that learns from ids or values alone says ``needs_features = False``.
    """

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    needs_features: ClassVar[bool] = True

    def make(self) -> Any:
        """Return a new model."""
        return build(self.name, self.settings)

    def fresh(self) -> Any:
        """Return a model fitted on the toy tasks."""
        return self.make().fit(tasks(), Run(seed=3), validation=tasks(n_people=40, seed=1))

    def fitted(self) -> Any:
        """Return such a model, the same one for every test of a class: scoring must not change it."""
        if type(self) not in _FITTED:
            _FITTED[type(self)] = self.fresh()
        return _FITTED[type(self)]

    def test_is_a_ranker(self) -> None:
        """The protocol holds, and the model knows its own name and settings."""
        model = self.make()
        assert has(model, Ranker)
        assert model.name == self.name
        assert isinstance(model.config, type(model).Config)

    def test_finds_what_decides(self) -> None:
        """On new people, what they take comes first: the two best places hold 80% of it at least (17% by chance)."""
        fresh = tasks(n_people=60, seed=2)
        items = fresh.candidates.with_fields({**fresh.candidates.fields, "taken": fresh.labels})
        ranked = self.fitted().score(fresh.query, items)
        assert ranked.top(2).fields["taken"].mean() >= 0.8

    def test_keeps_the_candidates(self) -> None:
        """Scoring moves candidates and their columns together; none goes, none comes; each list is descending."""
        data = tasks(n_people=20, seed=2)
        ranked = self.fitted().score(data.query, data.candidates)
        assert ranked.offsets.tolist() == data.candidates.offsets.tolist()
        assert ranked.scores.dtype == np.float32
        assert np.isfinite(ranked.scores).all()
        for person in range(20):
            assert sorted(ranked.rows_of(person)) == sorted(data.candidates.rows_of(person))
            assert (np.diff(ranked.scores_of(person)) <= 0).all()
            own = slice(person * 12, person * 12 + 12)
            noise = data.candidates.fields["noise"][own].tolist()
            by_row = dict(zip(data.candidates.rows_of(person).tolist(), noise, strict=True))
            moved = ranked.fields["noise"][own].tolist()
            assert moved == [by_row[row] for row in ranked.rows_of(person).tolist()]

    def test_batch_equals_single(self) -> None:
        """One person or many: the same order and scores."""
        model, data = self.fitted(), tasks(n_people=10, seed=4)
        together = model.score(data.query, data.candidates)
        for person in range(10):
            own = data.candidates.select(np.arange(person * 12, person * 12 + 12), np.array([0, 12]))
            alone = model.score(data.query.take([person]), own)
            assert alone.item_rows.tolist() == together.rows_of(person).tolist()
            assert np.allclose(alone.scores, together.scores_of(person), rtol=1e-5, atol=1e-6)

    def test_deterministic(self) -> None:
        """The same seed gives the same scores."""
        data = tasks(n_people=10, seed=4)
        first, second = (self.fresh().score(data.query, data.candidates) for _ in range(2))
        assert first.scores.tolist() == second.scores.tolist()

    def test_state_round_trip(self) -> None:
        """State is plain arrays, and a model that loads them scores the same."""
        model, data = self.fitted(), tasks(n_people=10, seed=4)
        state = {key: np.array(value) for key, value in model.state().items()}
        assert all(array.dtype != np.object_ for array in state.values())
        loaded = self.make().load_state(state)
        expected = model.score(data.query, data.candidates)
        assert loaded.score(data.query, data.candidates).scores.tolist() == expected.scores.tolist()

    def test_missing_features(self) -> None:
        """Missing values and whole missing columns are scored, and further columns are ignored."""
        model, data = self.fitted(), tasks(n_people=10, seed=4)
        nothing = {name: np.full(120, np.nan, dtype=np.float32) for name in data.candidates.fields}
        assert np.isfinite(model.score(data.query, data.candidates.with_fields(nothing)).scores).all()
        bare = replace(data.candidates, fields={"further": np.ones(120, dtype=np.float32)})
        assert np.isfinite(model.score(data.query, bare).scores).all()

    def test_no_candidates(self) -> None:
        """People without candidates get none."""
        ranked = self.fitted().score(_nobody(3, 12), Candidates.empty(3))
        assert len(ranked) == 3
        assert len(ranked.item_rows) == 0

    def test_weights_count(self) -> None:
        """A ranking set may carry weights."""
        data = replace(tasks(), weights=np.ones(150 * 12, dtype=np.float32))
        plain = self.make().fit(tasks(), Run(seed=3)).score(data.query, data.candidates)
        assert np.allclose(
            self.make().fit(data, Run(seed=3)).score(data.query, data.candidates).scores, plain.scores, atol=1e-3
        )

    def test_contributions_add_up(self) -> None:
        """What the features add, with the base, is the score; the deciding feature weighs most."""
        model, data = self.fitted(), tasks(n_people=10, seed=4)
        if not has(model, Attributable):
            raise SkipTest(f"{self.name} does not split its scores")
        ranked = model.score(data.query, data.candidates)
        parts = model.contributions(ranked)
        assert np.allclose(sum(parts.values()) + model.base, ranked.scores, atol=1e-4)
        sizes = {name: float(np.abs(part).mean()) for name, part in parts.items()}
        assert max(sizes, key=lambda name: sizes[name]) == "signal"
        assert max(model.importances(), key=model.importances().__getitem__) == "signal"

    def test_flat_scores_are_the_scores(self) -> None:
        """A ranker that scores in place gives each candidate what sorting gives it, and names what it asks."""
        model, data = self.fitted(), tasks(n_people=10, seed=4)
        if not has(model, Flat):
            raise SkipTest(f"{self.name} does not score in place")
        scores = model.scores(data.query, data.candidates)
        ranked = model.score(data.query, data.candidates.with_fields({"place": np.arange(120)}))
        assert np.allclose(scores[ranked.fields["place"]], ranked.scores, rtol=1e-6, atol=1e-7)
        asked = {name: column for name, column in data.candidates.fields.items() if name in model.asks()}
        bare = replace(data.candidates, fields=asked)
        assert model.scores(data.query, bare).tolist() == scores.tolist()

    def test_states_where_to_look(self) -> None:
        """The settings to try are settings; the first are the default; what is searched can be set."""
        kind = type(self.make())
        assert dict(kind.grid[0]) == {}
        for settings in kind.grid:
            build(self.name, settings)
        assert kind.space
        assert set(kind.space) <= set(kind.Config.__struct_fields__)

    def test_nothing_to_learn(self) -> None:
        """Equal labels, or no features, are an error that says so."""
        data = tasks(n_people=5)
        same = np.zeros(60, dtype=np.float32)
        with pytest.raises(DataError, match="same label"):
            self.make().fit(replace(data, labels=same, further=dict.fromkeys(data.further, same)), Run())
        if self.needs_features:
            with pytest.raises(DataError, match="no feature"):
                self.make().fit(replace(data, candidates=replace(data.candidates, fields={})), Run())
