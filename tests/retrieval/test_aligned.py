from dataclasses import replace

import numpy as np
import pytest

from inkling.core.config import parse
from inkling.core.errors import DataError
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.retrieval._aligned import Asked, Bridge, Facts, Kernel, relative, top_of
from inkling.retrieval._aligned_judge import Chances, placed
from inkling.retrieval._taste import Taste
from inkling.retrieval.aligned import Aligned, AlignedConfig
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract

KINDS = ("cat", "car", "tea")


class Words:
    """An encoder for tests: one number for each of a few words."""

    words = (*KINDS, "red", "blue", "big", "old")
    dim = len(words)

    def encode(self, texts):
        found = np.array([[word in text.split() for word in self.words] for text in texts], np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1)


def fitted(data, **settings):
    config = {"settings": {"l2": 2.0}, **settings}
    return Aligned(parse(AlignedConfig, config), encoder=Words()).fit(data, Run(seed=7))


def clubs(*, n_people=60, n_items=30, cold=(27, 28, 29), seed=0):
    """Everyone belongs to a club of cats, cars or tea, and takes its items; the last of each kind nobody took yet."""
    rng = np.random.default_rng(seed)
    colours = ("red", "blue", "big", "old")
    texts = [f"{KINDS[item % 3]} {colours[item % 4]}" for item in range(n_items)]
    happenings = []
    for person in range(n_people):
        own = [item for item in range(person % 3, n_items, 3) if item not in cold]
        for day, item in enumerate(rng.permutation(own)[:7].tolist()):
            happenings.append(worlds.Happening(person, item, day * 10 + person / 100, session=person * 100 + day))
    scenario = worlds.shop().scenario
    return worlds.dataset(
        happenings, shape=(n_people, n_items), texts=texts, scenario=replace_scenario(scenario, seen="drop")
    )


def replace_scenario(scenario, **changes):
    import msgspec

    return msgspec.structs.replace(scenario, **changes)


class TestAlignedContract(RetrieverContract):
    name = "aligned"
    settings = {"settings": {"l2": 5.0}}

    def make(self):
        return Aligned(parse(AlignedConfig, self.settings), encoder=Words())


class TestAlignedMarkovContract(TestAlignedContract):
    settings = {"warm": "markov", "dim": 4}


def test_a_new_item_is_found_by_those_whose_kind_it_is():
    data = clubs()
    model = fitted(data)
    only_cold = np.isin(np.arange(30), (27, 28, 29))
    query = replace(data.query(np.arange(60, dtype=np.int32)), allowed=only_cold)
    assert model.retrieve(query, 1).item_rows.tolist() == [27 + person % 3 for person in range(60)]
    base = build("ease", {"l2": 2.0}).fit(data, Run())
    assert len(base.retrieve(query, 1).item_rows) == 0


def test_warm_items_keep_their_scores():
    data = clubs()
    model, base = fitted(data), build("ease", {"l2": 2.0}).fit(data, Run())
    query = data.query(np.arange(60, dtype=np.int32))
    assert np.array_equal(model.scores(query)[:, :27], base.scores(query)[:, :27])
    assert (model.scores(query)[:, 27:] > 0).all()
    assert not base.scores(query)[:, 27:].any()


def test_the_price_holds_cold_items_back():
    data = clubs()
    dear, free = (fitted(data, price=price).state()["lift"][0] for price in (0.9, 0.0))
    assert free < dear


def test_items_that_come_later_are_served_at_once():
    data = clubs()
    model = fitted(data)
    model.put_items(np.array([30, 31], np.int32), Words().encode(["tea red", "cat old"]))
    query = replace(data.query(np.array([2, 0], np.int32)), n_items=32, allowed=np.arange(32) >= 30)
    assert model.retrieve(query, 1).item_rows.tolist() == [30, 31]
    again = Aligned(model.config).load_state({name: np.array(value) for name, value in model.state().items()})
    assert again.retrieve(query, 1).item_rows.tolist() == [30, 31]
    model.put_items(np.empty(0, np.int32), np.empty((0, 7), np.float32))
    with pytest.raises(DataError, match="reads vectors of 7 numbers and was given 3"):
        model.put_items(np.array([32], np.int32), np.ones((1, 3), np.float32))


def test_a_sentence_is_enough_to_find_what_fits():
    data = clubs()
    model = fitted(data)
    nobody = Query(History.empty(2), np.full(2, data.until), 30, np.full(2, -1, np.int32))
    query = replace(nobody, text_vectors={"auto": Words().encode(["cat red", "tea blue"])})
    answer = model.retrieve(query, 5)
    assert answer.rows_of(0)[0] % 3 == 0
    assert answer.rows_of(1)[0] % 3 == 2
    assert len(model.retrieve(nobody, 5).item_rows) == 0
    silent = replace(nobody, text_vectors={"auto": np.zeros((2, 7), np.float32)})
    assert len(model.retrieve(silent, 5).item_rows) == 0


def test_reasons_of_a_new_item_are_what_reads_like_it():
    data = clubs()
    model = fitted(data)
    query = data.query(np.array([1], np.int32))
    found = model.why(query, 28)
    assert all(because.item_row % 3 == 1 for because in found)
    assert sum(because.weight for because in found) == pytest.approx(float(model.scores(query)[0, 28]), rel=1e-4)
    assert model.similar(np.array([28], np.int32), 5).item_rows[0] % 3 == 1


def test_kernel_equals_a_slow_loop():
    rng = np.random.default_rng(0)
    cold, warm = (rng.standard_normal((n, 5)).astype(np.float32) for n in (4, 9))
    rows = np.arange(20, 29, dtype=np.int32)
    kernel = Kernel.of(cold, warm, rows, 3)
    for place in range(4):
        near = warm @ cold[place]
        best = np.argsort(-near)[:3]
        assert kernel.rows[place].tolist() == rows[best].tolist()
        shares = np.where(near[best] > 0, np.exp(near[best] / 0.1), 0)
        assert np.allclose(kernel.weights(3)[place], shares / shares.sum(), atol=1e-5)


def test_ridge_feature_is_the_projection_of_scores_onto_text():
    rng = np.random.default_rng(1)
    facts = Facts(rng.standard_normal((8, 3)).astype(np.float32), np.zeros((8, 0), np.float32), np.full(8, np.nan))
    cold, warm = np.array([0, 1], np.int32), np.arange(2, 8, dtype=np.int32)
    ready = Bridge.of(facts, cold, warm, np.ones(8, np.float32), day=1.0).prepared()
    scores = np.abs(rng.standard_normal(8)).astype(np.float32)
    scores[:2] = 0
    x = facts.vectors[warm]
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(3), x.T @ scores[warm])
    found = ready.features(Asked(scores, Taste(warm[:1], np.ones(1, np.float32)), 0, 1))
    assert np.allclose(found[:, 2], facts.vectors[:2] @ weights / top_of(scores), atol=1e-5)
    assert np.allclose(found[:, 0], relative(ready.narrow(scores), top_of(scores)))


def test_places_follow_the_chances():
    best, warm = np.array([5, 4, 3], np.float32), np.log(np.array([0.3, 0.2, 0.1], np.float32))
    chances = np.log(np.array([0.4, 0.25, 0.15, 0.05, 0.01], np.float32))
    found = placed(chances, warm, best)
    assert found[0] > 5 > found[1] > 4 > found[2] > 3 > found[3] > found[4] > 0


def test_chances_are_those_of_a_logistic_world():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 2))
    right = rng.random(4000) < 1 / (1 + np.exp(-(2 * x[:, 0] - 1)))
    chances = Chances.fitted(np.column_stack([x, np.ones(4000)]), right, np.ones(4000))
    found = np.exp(chances(np.array([[0, 0, 1], [1, 0, 1]], np.float32)))
    assert found == pytest.approx([0.269, 0.731], abs=0.04)


def test_freshness_counts_where_dates_are_real():
    import polars as pl

    data = clubs()
    days = [worlds.START_MS + row * 86_400_000 for row in range(30)]
    items = type(data.items)(data.items.frame.with_columns(pl.Series("created_at", days), pl.lit(2.5).alias("price")))
    model = fitted(replace(data, items=items))
    assert np.isfinite(model.state()["born"]).all()
    assert model.state()["numbers"].shape == (30, 0) or model.state()["numbers"].shape[1] in (0, 2)


@pytest.mark.parametrize("method", ["learned", "vqvae"])
def test_learned_places_serve_without_torch(method):
    pytest.importorskip("torch", reason="learned methods are trained with torch")
    data = clubs()
    model = fitted(data, method=method, epochs=8)
    only_cold = np.isin(np.arange(30), (27, 28, 29))
    query = replace(data.query(np.arange(30, dtype=np.int32)), allowed=only_cold)
    assert (model.retrieve(query, 1).item_rows == [27 + person % 3 for person in range(30)]).mean() > 0.9
    state = {name: np.array(value) for name, value in model.state().items()}
    again = Aligned(model.config).load_state(state)
    assert np.allclose(again.scores(query), model.scores(query), rtol=1e-4)
    again.put_items(np.array([30], np.int32), Words().encode(["tea red"]))
    grown = replace(data.query(np.array([2], np.int32)), n_items=31, allowed=np.arange(31) >= 30)
    assert again.retrieve(grown, 1).item_rows.tolist() == [30]


def test_learned_methods_say_what_is_missing(monkeypatch):
    from inkling.core.errors import MissingExtraError
    from inkling.training import extra

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(extra, "import_module", absent)
    with pytest.raises(MissingExtraError, match="method = 'learned'"):
        fitted(clubs(), method="learned")
