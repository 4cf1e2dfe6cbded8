import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import ConfigError, DataError, MissingExtraError
from inkling.core.run import Run
from inkling.ranking import build
from inkling.testing.ranking import RankerContract, tasks

SMALL = {"min_examples": 10, "trees": 60}


class TestGbdtContract(RankerContract):
    name = "gbdt"
    settings = SMALL


class TestGbdtBinaryContract(RankerContract):
    name = "gbdt"
    settings = {**SMALL, "objective": "binary", "feature_share": 1.0, "learning_rate": 0.2}


class TestGbdtXendcgContract(RankerContract):
    name = "gbdt"
    settings = {**SMALL, "objective": "rank_xendcg", "leaves": 4, "learning_rate": 0.2}


def n_trees(model):
    return len(model.state()["trees.leaf_value"])


def test_scores_are_lightgbms():
    import lightgbm

    data = tasks()
    names = sorted(data.candidates.fields)
    x = np.column_stack([data.candidates.fields[name] for name in names])
    model = build("gbdt", {**SMALL, "row_share": 1.0, "feature_share": 1.0, "trees": 20}).fit(data, Run())
    parameters = model._parameters(Run())
    peer = lightgbm.train(parameters, lightgbm.Dataset(x, data.labels, group=[12] * 150), num_boost_round=20)
    ours = model.score(data.query, data.candidates)
    by_person = [np.sort(part)[::-1] for part in peer.predict(x, raw_score=True).reshape(-1, 12)]
    assert np.allclose(ours.scores.reshape(-1, 12), by_person, atol=1e-5)


def test_it_stops_when_validation_says_so():
    noise = tasks(n_people=40, seed=9)
    shuffled = replace(noise, labels=np.random.default_rng(0).permutation(noise.labels))
    free = build("gbdt", SMALL).fit(tasks(), Run())
    stopped = build("gbdt", {**SMALL, "patience": 3, "at": 5}).fit(tasks(), Run(), validation=shuffled)
    assert n_trees(free) == 60
    assert n_trees(stopped) < 30


def test_binary_scores_are_log_odds():
    data = tasks()
    ranked = build("gbdt", {**SMALL, "objective": "binary"}).fit(data, Run()).score(data.query, data.candidates)
    assert (1 / (1 + np.exp(-ranked.scores))).mean() == pytest.approx(data.labels.mean(), abs=0.03)


def test_people_without_a_choice_teach_no_order():
    data = tasks()
    labels = data.labels.copy()
    labels[: 12 * 20] = 0
    labels[12 * 20 : 12 * 30] = 1
    model = build("gbdt", SMALL).fit(replace(data, labels=labels), Run())
    kept = replace(data, labels=labels)
    assert model._dataset(__import__("lightgbm"), kept).get_label() is not None
    assert len(model._dataset(__import__("lightgbm"), kept).get_label()) == 12 * 120


@pytest.mark.parametrize(
    "change", [{"leaves": 3}, {"learning_rate": 0.3}, {"l2": 500.0}, {"min_examples": 400}, {"truncation": 1}]
)
def test_settings_change_the_trees(change):
    data = tasks()
    plain, other = (
        build("gbdt", s).fit(data, Run()).score(data.query, data.candidates) for s in (SMALL, SMALL | change)
    )
    assert not np.allclose(plain.scores, other.scores)


def test_another_seed_is_another_forest_and_shares_matter():
    data = tasks()
    base = {**SMALL, "feature_share": 0.5, "row_share": 0.5}
    first, second = (build("gbdt", base).fit(data, Run(seed=s)).score(data.query, data.candidates) for s in (1, 2))
    assert not np.allclose(first.scores, second.scores)


def test_chosen_features_only():
    model = build("gbdt", {**SMALL, "features": ["signal", "noise"]}).fit(tasks(), Run())
    assert list(model.importances()) == ["signal", "noise"]
    assert sum(model.importances().values()) == pytest.approx(1)
    with pytest.raises(DataError, match="no column colour"):
        build("gbdt", {"features": ["colour"]}).fit(tasks(), Run())


def test_too_many_leaves_are_refused():
    with pytest.raises(ConfigError, match="leaves"):
        build("gbdt", {"leaves": 65})


def test_without_lightgbm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match="pip install lightgbm"):
        build("gbdt").fit(tasks(), Run())


def test_scoring_needs_no_lightgbm():
    code = "import sys, inkling.ranking.gbdt as g; g.Gbdt(); print('lightgbm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_pruned_trees_ask_less_and_order_as_well():
    data, fresh = tasks(), tasks(n_people=60, seed=2)
    items = fresh.candidates.with_fields({**fresh.candidates.fields, "taken": fresh.labels})
    whole, few = (build("gbdt", {**SMALL, "prune_share": share}).fit(data, Run()) for share in (0.0, 0.1))
    assert whole.asks() == {"gap", "noise", "signal"}
    assert few.asks() == {"signal"}
    hits = [model.score(fresh.query, items).top(2).fields["taken"].mean() for model in (whole, few)]
    assert hits[1] >= hits[0] - 0.01
    assert build("gbdt", {**SMALL, "prune_share": 0.999}).fit(data, Run()).asks() == whole.asks()  # none would be left
