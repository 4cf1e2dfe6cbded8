from dataclasses import replace

import msgspec
import numpy as np
import pytest

from inkling.core.config import parse
from inkling.core.errors import ConfigError, DataError, RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import History
from inkling.core.run import Run
from inkling.engine.engine import open_engine
from inkling.engine.pipeline import PIPELINES, Pipeline, Trace
from inkling.engine.pipelines._lean_columns import NEAR, Past, Popularity, again
from inkling.engine.pipelines.lean import Lean, LeanConfig
from inkling.stores._ivf_index import IvfIndex
from inkling.testing import worlds

ALS = {"retriever": {"retriever": "als", "settings": {"factors": 8, "iterations": 5}}, "n_candidates": 30}


def made(scenario=None, **settings):
    return Lean(parse(LeanConfig, {**ALS, **settings}, where="test"), scenario)


@pytest.fixture(scope="module")
def data():
    return worlds.shop(n_items=80, n_users=120, n_events=3000)


@pytest.fixture(scope="module")
def fitted(data):
    lean = made(order="mimic").fit(data, Run(seed=1))
    lean.attach(lambda where: np.ones(data.n_items, dtype=np.bool_))
    return lean


def asked(data, *people):
    return data.query(np.array(people, dtype=np.int32))


def test_it_is_registered_and_keeps_the_contract(fitted):
    assert PIPELINES.get("lean") is Lean
    assert isinstance(fitted, Pipeline)
    assert fitted.report().chosen == "mimic"
    assert fitted.report().features


def test_answers_are_sorted_distinct_and_allowed(data, fitted):
    query = asked(data, 1, 2, -1)
    allowed = query.allowed.copy()
    allowed[::2] = False
    query = replace(query, allowed=allowed, exclude=Jagged.from_lists([[1], [3], []]))
    trace = Trace()
    found = fitted.recommend(query, 10, trace)
    assert list(trace.timings_ms) == ["recall", "rank", "policy"]
    for person in range(3):
        rows, scores = found.rows_of(person), found.scores_of(person)
        assert len(set(rows.tolist())) == len(rows) == 10
        assert (np.diff(scores) <= 0).all()
        assert allowed[rows].all()
    assert 1 not in found.rows_of(0)
    assert {found.source_of(at) for at in range(20, 30)} == {"popular"}


def test_one_answers_as_many_do(data, fitted):
    many = fitted.recommend(asked(data, 1, 2, 3), 8, Trace())
    for at, person in enumerate((1, 2, 3)):
        alone = fitted.recommend(asked(data, person), 8, Trace())
        np.testing.assert_array_equal(many.rows_of(at), alone.item_rows)
        np.testing.assert_allclose(many.scores_of(at), alone.scores, atol=1e-5)


def test_an_index_answers_as_a_scan_does(data, fitted, monkeypatch):
    monkeypatch.setattr(IvfIndex, "width", lambda self, depth, *, share=1.0: self.n_cells)
    again_ = Lean(fitted.config, data.scenario).load(fitted.save())
    again_.attach(lambda where: np.ones(data.n_items, dtype=np.bool_))
    again_._recall.index.index_from = 40
    again_.wait()
    assert again_._recall.index._table.index is not None
    expected = fitted.recommend(asked(data, 1, 2, 5), 10, Trace())
    found = again_.recommend(asked(data, 1, 2, 5), 10, Trace())
    np.testing.assert_array_equal(found.item_rows, expected.item_rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


def test_a_score_is_that_of_the_answer_whoever_else_is_asked_about(data, fitted):
    query = asked(data, 4)
    shown = fitted.recommend(query, 5, Trace())
    scores = fitted.score(query, Jagged.from_lists([shown.item_rows[::-1]]))
    np.testing.assert_allclose(scores[::-1], shown.scores, atol=1e-5)
    alone = fitted.score(query, Jagged.from_lists([shown.item_rows[:1]]))
    np.testing.assert_allclose(alone, shown.scores[:1], atol=1e-5)


@pytest.mark.parametrize("order", ["fused", "mimic", "gbdt", "auto"])
def test_what_is_saved_answers_the_same(data, order):
    if order == "gbdt":
        pytest.importorskip("lightgbm")
    lean = made(order=order).fit(data, Run(seed=1))
    state = lean.save()
    other = Lean(parse(LeanConfig, dict(state.settings["config"]), where="test"), data.scenario).load(state)
    query = asked(data, 1, 7)
    first, second = lean.recommend(query, 10, Trace()), other.recommend(query, 10, Trace())
    np.testing.assert_array_equal(first.item_rows, second.item_rows)
    np.testing.assert_allclose(first.scores, second.scores, rtol=1e-5)
    assert other.report() == msgspec.convert(msgspec.to_builtins(lean.report()), type(lean.report()))


def test_things_are_shown_again_where_the_scenario_says_so(data):
    keeps = replace(data, scenario=msgspec.structs.replace(data.scenario, seen="keep"))
    lean = made(order="mimic").fit(keeps, Run(seed=1))
    query = asked(keeps, 3)
    had = set(query.history.item_rows[query.history.weights > 0].tolist())
    found = lean._recall.candidates(query, 5)
    assert had & set(found.item_rows.tolist())
    assert {"had", "days_since"} <= set(found.fields)
    drops = made(order="fused").fit(replace(data, scenario=msgspec.structs.replace(data.scenario, seen="drop")), Run())
    assert not had & set(drops.recommend(query, 10, Trace()).item_rows.tolist())


def test_nothing_known_is_answered_by_what_is_popular_and_popularity_moves(data):
    lean = made(order="fused").fit(data, Run(seed=1))
    nobody = replace(asked(data, -1), history=History.empty(1))
    first = int(lean.recommend(nobody, 1, Trace()).item_rows[0])
    assert first == int(np.argmax(lean._recall.popular.amounts))
    other = (first + 1) % data.n_items
    last = data.interactions.select(np.full(5000, len(data.interactions) - 1))
    lean.observe(replace(last, item_rows=np.full(5000, other, dtype=np.int32), positive=np.ones(5000, dtype=np.bool_)))
    assert int(lean.recommend(nobody, 1, Trace()).item_rows[0]) == other


def test_reasons_name_what_a_person_had(data, fitted):
    query = asked(data, 2)
    shown = fitted.recommend(query, 3, Trace())
    had = set(query.history.item_rows.tolist())
    told = fitted.explain(query, shown.item_rows)
    assert len(told) == 3
    assert all(one.kind in ("because_item", "popular", "repeat") for one in told)
    assert any(b.item_row in had for one in told for b in one.because)
    assert NEAR in told[0].features


def test_neighbours_and_texts(data, fitted):
    allowed = np.arange(data.n_items) % 2 == 0
    found = fitted.similar(np.array([3], dtype=np.int32), 5, allowed=allowed)
    assert len(found.item_rows) == 5
    assert allowed[found.item_rows].all()
    with pytest.raises(RequestError, match="reads no texts"):
        fitted.recommend(replace(asked(data, 1), texts=("cat",)), 3, Trace())
    assert fitted.encode(["cat"]) == {}


def test_what_cannot_be_fitted(data):
    with pytest.raises(ConfigError, match="places people and items, and 'popular' does not"):
        made(retriever={"retriever": "popular"})
    none = data.interactions.select(np.arange(5))
    with pytest.raises(DataError, match="None of the 5 events is positive"):
        made().fit(replace(data, interactions=replace(none, positive=np.zeros(5, dtype=np.bool_))), Run())


def test_variety_changes_the_order_only(data):
    plain = made(order="fused").fit(data, Run(seed=1))
    varied = Lean(parse(LeanConfig, {**ALS, "order": "fused", "diversity": 0.7}, where="test"), data.scenario)
    varied.load(plain.save())
    for lean in (plain, varied):
        lean.attach(lambda where: np.ones(data.n_items, dtype=np.bool_))
    query = asked(data, 2)
    one, other = plain.recommend(query, 30, Trace()), varied.recommend(query, 30, Trace())
    assert one.item_rows.tolist() != other.item_rows.tolist()
    assert one.item_rows[0] == other.item_rows[0]
    assert len(set(other.item_rows.tolist())) == 30


def test_popularity_fades_and_reads_rows_that_it_never_saw():
    popular = Popularity(10.0, 0, np.array([4.0, 0.0]))
    day = 86_400_000
    np.testing.assert_allclose(popular.of_rows(np.array([0, 1, 9]), 10 * day), np.log1p([2.0, 0.0, 0.0]), rtol=1e-6)
    assert popular.best(5).tolist() == [0]
    assert Popularity(10.0).of_rows(np.array([0]), 0).tolist() == [0.0]


def test_had_and_since():
    day = 86_400_000
    past = Past(np.array([5, 3, 5], dtype=np.int32), np.array([0, day, 2 * day]))
    found = again(np.array([3, 4, 5], dtype=np.int32), past, 3 * day)
    np.testing.assert_allclose(found["had"], np.log1p([1, 0, 2]), rtol=1e-6)
    np.testing.assert_allclose(found["days_since"], np.log1p([2, np.nan, 1]), rtol=1e-6)
    assert past.last_distinct(1).tolist() == [5]


def test_an_engine_serves_it(tmp_path, shop):
    scenario = msgspec.structs.replace(shop.SCENARIO, pipeline="lean")
    with open_engine(scenario=scenario) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe(shop.events())
        engine.fit(settings=ALS | {"n_candidates": 10}).save(tmp_path / "lean")
    with open_engine("memory://", tmp_path / "lean") as engine:
        assert engine.about()["pipeline"] == "lean"
        answer = engine.warm().recommend("u1", k=3, explain=True)
        assert answer.items[0].item_id.startswith("car")
        assert answer.items[0].reason is not None
        assert engine.recommend("nobody", k=3).items
        assert 0 <= engine.score("u1", ["car-wax"])[0] <= 1
