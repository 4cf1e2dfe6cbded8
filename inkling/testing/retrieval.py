"""What every retriever keeps: subclass :class:`RetrieverContract`, name the model, and pytest does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np

from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval.base import Because, Explainable, Retriever, Scorer, Similar, Updatable
from inkling.testing import worlds
from inkling.testing.capability import has


class RetrieverContract:
    """The contract of a retriever as tests. ``name`` is the registered name."""

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    update_equals_refit: ClassVar[bool] = True
    """Whether a model that is updated must answer as one fitted on everything."""

    def make(self) -> Any:
        """Return a new model."""
        return build(self.name, self.settings)

    def fitted(self, data: Dataset | None = None) -> Any:
        """Return a model fitted on ``data`` (default: the toy shop)."""
        return self.make().fit(data or worlds.shop(), Run(seed=7))

    def query(self, n: int = 12) -> Query:
        """Return a question for ``n`` people of the toy shop, some unknown, in either country."""
        data = worlds.shop()
        query = data.query(np.array([*range(n - 1), -1], dtype=np.int32))
        return replace(query, context={"country": tuple(("France", "Spain", None)[i % 3] for i in range(n))})

    def test_is_a_retriever(self) -> None:
        """The protocol holds, and the model knows its own name and settings."""
        model = self.make()
        assert has(model, Retriever)
        assert model.name == self.name
        assert isinstance(model.config, type(model).Config)

    def test_lists_are_sorted_without_duplicates(self) -> None:
        """Each person's list is descending, within the catalogue, each item once, at most k long."""
        answer = self.fitted().retrieve(self.query(), 8)
        check_lists(answer, n_people=12, n_items=30, k=8)
        assert set(answer.source_names)
        assert len(answer.item_rows) > 0

    def test_batch_equals_single(self) -> None:
        """One person or many: the same answers."""
        model, query = self.fitted(), self.query()
        together = model.retrieve(query, 6)
        for person in range(len(query)):
            alone = model.retrieve(query.take([person]), 6)
            assert alone.item_rows.tolist() == together.rows_of(person).tolist()
            assert np.allclose(alone.scores, together.scores_of(person), rtol=1e-5, atol=1e-7)

    def test_limits_hold(self) -> None:
        """``allowed``, ``candidates`` and ``exclude`` are applied before the top k, together."""
        model, query = self.fitted(), self.query()
        allowed = np.arange(30) % 2 == 0
        only = Jagged.from_lists([list(range(person, 30)) for person in range(len(query))])
        out = Jagged.from_lists([[0, 2, 4, 29]] * len(query))
        answer = model.retrieve(replace(query, allowed=allowed, candidates=only, exclude=out), 30)
        for person in range(len(query)):
            rows = answer.rows_of(person)
            assert (rows >= person).all()
            assert allowed[rows].all()
            assert not np.isin(rows, [0, 2, 4, 29]).any()

    def test_limits_come_before_the_top_k(self) -> None:
        """The best item of an unlimited answer that is allowed is the best one of the limited answer."""
        model, query = self.fitted(), self.query()
        wide = model.retrieve(query, 30)
        for person in range(len(query)):
            rows = wide.rows_of(person)[4:6]
            if len(rows) == 2:
                one = replace(query.take([person]), candidates=Jagged.from_lists([np.sort(rows)]))
                assert sorted(model.retrieve(one, 2).item_rows.tolist()) == sorted(rows.tolist())

    def test_no_k_and_a_huge_k(self) -> None:
        """A k of 0 or less gives nothing, a k beyond the catalogue what there is."""
        model, query = self.fitted(), self.query()
        assert len(model.retrieve(query, 0).item_rows) == 0
        assert len(model.retrieve(query, -3).item_rows) == 0
        check_lists(model.retrieve(query, 1_000_000), n_people=12, n_items=30, k=30)

    def test_unknown_people(self) -> None:
        """Nobody's history is a valid question."""
        nobody = Query(History.empty(2), np.full(2, worlds.START_MS), 30, np.full(2, -1, dtype=np.int32))
        answer = self.fitted().retrieve(nobody, 5)
        check_lists(answer, n_people=2, n_items=30, k=5)
        assert answer.rows_of(0).tolist() == answer.rows_of(1).tolist()

    def test_items_that_the_model_never_saw(self) -> None:
        """A grown vocabulary and unseen items in a history neither raise nor move the other scores."""
        model, query = self.fitted(), self.query(4)
        new = Jagged.from_lists([[3, 30, 34], [31], [], [5, 6]])
        history = History.of_items(new, ts=np.full(len(new.values), worlds.START_MS))
        grown = replace(query, history=history, n_items=35, allowed=None)
        answer = model.retrieve(grown, 35)
        check_lists(answer, n_people=4, n_items=35, k=35)
        if has(model, Scorer):
            assert model.scores(grown).shape == (4, 35)

    def test_deterministic(self) -> None:
        """The same seed gives the same model."""
        first, second = (self.fitted().retrieve(self.query(), 10) for _ in range(2))
        assert_same(first, second)

    def test_state_round_trip(self) -> None:
        """State is plain arrays, and a model that loads them answers the same."""
        model, query = self.fitted(), self.query()
        state = {key: np.array(value) for key, value in model.state().items()}
        assert all(array.dtype != np.object_ for array in state.values())
        assert_same(model.retrieve(query, 10), self.make().load_state(state).retrieve(query, 10))

    def test_scores(self) -> None:
        """A scorer's dense scores are finite float32, and its answers are their best."""
        model, query = self.fitted(), self.query()
        if not has(model, Scorer):
            raise SkipTest(f"{self.name} is no Scorer")
        scores = model.scores(query)
        assert scores.shape == (12, 30)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        answer = model.retrieve(query, 5)
        assert np.allclose(scores[answer.segment_rows, answer.item_rows], answer.scores, rtol=1e-5, atol=1e-7)

    def test_data_without_events(self) -> None:
        """Fitting on nothing is a clear error, or a model with an answer."""
        empty = worlds.dataset([], shape=(3, 30))
        try:
            model = self.fitted(empty)
        except DataError as error:
            said = str(error)
            assert "cannot be fitted" in said
        else:
            check_lists(model.retrieve(self.query(), 5), n_people=12, n_items=30, k=5)

    def test_similar(self) -> None:
        """Neighbours never include the item itself; unknown items have none."""
        model = self.fitted()
        if not has(model, Similar):
            raise SkipTest(f"{self.name} knows no neighbours")
        asked = np.array([0, 7, 999, -1], dtype=np.int32)
        answer = model.similar(asked, 5)
        check_lists(answer, n_people=4, n_items=30, k=5)
        assert len(answer.rows_of(0)) > 0
        assert all(row not in answer.rows_of(place) for place, row in enumerate(asked.tolist()))
        assert len(answer.rows_of(2)) == len(answer.rows_of(3)) == 0

    def test_why(self) -> None:
        """Grounds rest on items of the history, strongest first."""
        model, query = self.fitted(), self.query().take([1])
        if not has(model, Explainable):
            raise SkipTest(f"{self.name} does not explain")
        best = int(model.retrieve(query, 1).item_rows[0])
        found = model.why(query, best)
        assert found
        assert all(isinstance(because, Because) for because in found)
        assert all(because.item_row in {-1, *query.history.item_rows.tolist()} for because in found)
        weights = [abs(because.weight) for because in found]
        assert weights == sorted(weights, reverse=True)
        assert model.why(query, 10_000) == ()

    def test_update_equals_refit(self) -> None:
        """A model told of new events one by one answers as one that was fitted with them."""
        data = worlds.shop()
        cut = int(data.interactions.ts[400])
        model = self.fitted(data.cut(cut))
        if not has(model, Updatable) or not self.update_equals_refit:
            raise SkipTest(f"{self.name} is not held to it")
        later = data.interactions.select(data.interactions.ts > cut)
        for index in range(len(later)):
            model.update(later.select(np.array([index])))
            if index % 50 == 0:
                model.retrieve(self.query(), 3)
        whole = self.fitted(data)
        assert np.allclose(model.scores(self.query()), whole.scores(self.query()), rtol=1e-5, atol=1e-7)


def check_lists(answer: Candidates, *, n_people: int, n_items: int, k: int) -> None:
    """Assert the shape of an answer: lists for all people, descending, each item once, at most k."""
    assert len(answer) == n_people
    assert answer.item_rows.dtype == np.int32
    assert answer.scores.dtype == np.float32
    for person in range(n_people):
        rows, scores = answer.rows_of(person), answer.scores_of(person)
        assert len(rows) == len(set(rows.tolist())) <= k
        assert ((rows >= 0) & (rows < n_items)).all()
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()


def assert_same(first: Candidates, second: Candidates) -> None:
    """Assert that two answers have the same items, in the same order, with the same scores."""
    assert first.offsets.tolist() == second.offsets.tolist()
    assert first.item_rows.tolist() == second.item_rows.tolist()
    assert np.allclose(first.scores, second.scores, rtol=1e-5, atol=1e-7)
