"""Bundles made smaller: what changes, what stays, and that a written one answers the same after it is read."""

from dataclasses import replace

import numpy as np
import pytest

import inkling
from inkling.core.errors import BundleError, ConfigError, DataError
from inkling.core.run import Run
from inkling.engine import taught
from inkling.engine.bundle import Bundle
from inkling.engine.pipeline import Trace
from inkling.engine.reencoding import _projected, with_encoder
from inkling.engine.smaller import (
    encoder_bytes,
    pipeline_of,
    size_bytes,
    with_candidates,
    without_members,
)
from inkling.kernels.similarity import normalize_rows

TREES = {"trees": 12, "leaves": 4, "min_examples": 2}


@pytest.fixture(scope="module")
def bundle(shop):
    with shop.fitted(order="gbdt", gbdt=TREES) as engine:
        return engine.bundle


def answers(bundle, people=6, k=3):
    pipeline = bundle.pipeline()
    found = pipeline.recommend(bundle.base.query(np.arange(people, dtype=np.int32)), k, Trace())
    return [found.rows_of(person).tolist() for person in range(people)]


def read_back(bundle, folder):
    bundle.write(folder)
    return Bundle.read(folder)


def kinds(bundle, people=6):
    """Return which kind of thing each answer to the first people is: even ones like cats, odd ones cars."""
    ids = bundle.base.item_ids.ids()
    return [[ids[row].split("-")[0] for row in rows] for rows in answers(bundle, people, k=1)]


def test_members_left_out_are_not_asked(bundle, tmp_path):
    fewer = without_members(bundle, ["popular"])
    assert "popular" not in fewer.pipeline()._recall.members
    assert "popular" not in fewer.state.settings["weights"]["everyone"]
    assert list(fewer.state.settings["config"]["leave_out"]) == ["popular"]
    assert [member.name for member in fewer.pipeline().report().members] == ["itemknn", "semantic"]
    assert fewer.id != bundle.id
    assert "popular" in bundle.pipeline()._recall.members
    assert answers(read_back(fewer, tmp_path / "b")) == answers(fewer)


def test_a_member_without_weight_takes_over_where_it_is_left_alone(bundle):
    alone = without_members(bundle, [name for name in bundle.pipeline()._recall.members if name != "semantic"])
    assert alone.state.settings["weights"]["everyone"]["semantic"] > 0
    assert any(answers(alone))


@pytest.mark.parametrize("names", [["nobody"], ["popular", "itemknn", "semantic"]])
def test_members_that_cannot_go(bundle, names):
    with pytest.raises(ConfigError, match="Members to leave out"):
        without_members(bundle, names)


def test_only_the_default_pipeline_has_parts(bundle):
    with pytest.raises(ConfigError, match="only 'default' can be made smaller"):
        pipeline_of(replace(bundle, pipeline_name="semantic_basic"))


def test_fewer_candidates(bundle, tmp_path):
    fewer = read_back(with_candidates(bundle, 4), tmp_path / "b")
    assert fewer.pipeline().config.n_candidates == 4
    assert all(len(rows) <= 4 for rows in answers(fewer, k=4))


@pytest.mark.parametrize(("kind", "n_trees"), [(taught.HALF, 6), (taught.QUARTER, 3)])
def test_the_first_trees_are_what_the_ranker_was_with_so_many(bundle, kind, n_trees, tmp_path):
    cut = taught.with_order(bundle, kind, bundle, Run())
    ranker, whole = (one.pipeline()._choice.ranker for one in (cut, bundle))
    assert ranker._trees.n_trees == n_trees
    assert np.array_equal(ranker._trees.leaf_value, whole._trees.leaf_value[:n_trees])
    assert answers(read_back(cut, tmp_path / "b")) == answers(cut)


@pytest.mark.parametrize("kind", [taught.NETWORK, taught.FUSED])
def test_another_order_still_knows_tastes(bundle, kind, tmp_path):
    made = read_back(taught.with_order(bundle, kind, bundle, Run()), tmp_path / "b")
    assert made.state.settings["order"] == {taught.NETWORK: taught.STUDENT, taught.FUSED: "fused"}[kind]
    assert kinds(made) == [["cat"], ["car"]] * 3
    chances = made.pipeline().recommend(made.base.query(np.arange(6, dtype=np.int32)), 5, Trace()).scores
    assert ((chances > 0) & (chances < 1)).all()


def test_the_network_is_taught_by_the_bundle_before_any_change(bundle):
    fewer = without_members(bundle, ["popular"])
    made = taught.with_order(fewer, taught.NETWORK, bundle, Run())
    assert not any("popular" in name for name in made.pipeline()._choice.ranker.asks())
    assert kinds(made) == [["cat"], ["car"]] * 3


def test_the_network_is_taught_the_same_each_time(bundle):
    first, second = (taught.with_order(bundle, taught.NETWORK, bundle, Run(seed=2)) for _ in range(2))
    for name, value in first.state.arrays["ranker"].items():
        assert np.array_equal(value, second.state.arrays["ranker"][name])


def test_an_unknown_order_names_the_known(bundle):
    with pytest.raises(ConfigError, match="no order 'smaller'"):
        taught.with_order(bundle, "smaller", bundle, Run())


def test_no_trees_to_leave_out(bundle):
    fused = taught.with_order(bundle, taught.FUSED, bundle, Run())
    with pytest.raises(ConfigError, match="no trees to leave out"):
        taught.with_order(fused, taught.HALF, fused, Run())


def test_nobody_to_learn_from(bundle):
    none = np.zeros(len(bundle.base.interactions), dtype=np.bool_)
    empty = replace(bundle, base=replace(bundle.base, interactions=bundle.base.interactions.select(none)))
    with pytest.raises(DataError, match="Nobody is known"):
        taught.with_order(empty, taught.FUSED, bundle, Run())


def test_the_curve_keeps_probabilities():
    scores = np.linspace(-2, 2, 50).astype(np.float32)
    wanted = 1 / (1 + np.exp(-(1.5 * scores - 1)))
    assert taught._curve(scores, wanted.astype(np.float32)) == pytest.approx((1.5, -1.0), abs=1e-3)


def test_another_encoder_reads_the_catalogue_anew(bundle, tmp_path):
    other = with_encoder(bundle, "static", Run())
    assert other.state.settings["encoder"]["source"] == "static"
    assert other.state.arrays["said"]["vectors"].shape[1] == 128
    back = read_back(other, tmp_path / "b")
    assert back.pipeline()._recall.members["semantic"].config.encoder == "static"
    assert answers(back) == answers(other)
    query = replace(back.base.query(np.array([0], dtype=np.int32)), texts=("cat toy",))
    pipeline = back.pipeline()
    query = replace(query, text_vectors=pipeline.encode(["cat toy"]))
    first = pipeline.recommend(query, 1, Trace()).item_rows[0]
    assert back.base.item_ids.id_of(int(first)).startswith("cat")


def test_there_is_no_such_encoder(bundle):
    with pytest.raises(ConfigError, match="no encoder named 'statik'"):
        with_encoder(bundle, "statik", Run())


def test_a_sequence_model_follows_to_another_space():
    """New vectors are a rotation of the old: what the model added for each item is found again."""
    rng = np.random.default_rng(0)
    old = normalize_rows(rng.normal(size=(200, 12)).astype(np.float32))
    said = normalize_rows((old - old.mean(axis=0)) @ rng.normal(size=(12, 5)).astype(np.float32))
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0].astype(np.float32)
    found = _projected(old @ turn, said)
    told = normalize_rows(normalize_rows(old @ turn - found["mean"]) @ found["weights.table.project.weight"].T)
    assert (told * said).sum(axis=1).min() > 0.95


def test_sizes(bundle, tmp_path):
    with pytest.raises(BundleError, match="not written"):
        size_bytes(with_candidates(bundle, 5))
    made = with_encoder(bundle, "static", Run())
    made.write(tmp_path / "b")
    own = sum(path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert size_bytes(made) == own + encoder_bytes("static") > own + 3_000_000
    assert encoder_bytes("hashing") == 0
    assert encoder_bytes(str(tmp_path)) == own


def test_a_log_is_not_applied_twice_to_what_was_made_of_its_bundle(shop, tmp_path):
    """The bundle was fitted on the store's own log: what it reflects, its smaller form reflects as well."""
    url = f"file://{tmp_path / 'store'}"
    with shop.fitted(url) as engine:
        first, n_events = engine.bundle, engine.about()["n_events"]
    smaller = with_candidates(with_candidates(first, 50), 20)
    smaller.write(tmp_path / "b")
    with inkling.open(url, tmp_path / "b") as engine:
        assert engine.about()["n_events"] == n_events
        assert engine.bundle_name == smaller.id != first.id
        engine.observe([{"user_id": "u0", "item_id": "cat-toy", "event": "purchase"}])
        assert engine.about()["n_events"] == n_events + 1
