from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="language models are fine-tuned by torch")
pytest.importorskip("transformers", reason="and come from transformers")

import numpy as np

import inkling
from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.engine import teaching
from inkling.engine.order import Choice, Orders
from inkling.engine.rereading import RankConfig
from inkling.engine.weights import Weights
from inkling.testing.backbones import small_backbone

READER = {"max_tokens": 16, "epochs": 1, "lists": 50, "left_each": 3, "dropout": 0.0}
TREES = {"trees": 5, "leaves": 4, "min_examples": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("model") / "bert"
    small_backbone("bert").save(place)
    return str(place)


def fitted(shop, folder, **rank):
    told = {"settings": READER, "candidates": 4, "cross_budget_ms": 1e6, **rank}
    return shop.fitted(order="gbdt", gbdt=TREES, rank=told)


@pytest.fixture(scope="module")
def gaining(shop, folder, tmp_path_factory):
    """A bundle in which both were kept, whatever they are worth."""
    patch = pytest.MonkeyPatch()
    patch.setattr(teaching, "_gains", lambda each: True)
    place = tmp_path_factory.mktemp("kept") / "bundle"
    with fitted(shop, folder, teacher=folder, cross=folder) as engine:
        report = engine.pipeline.report()
        lists = engine.recommend(["u0", "u1"], k=5)
        engine.save(place)
    patch.undo()
    return place, report, lists


def test_both_are_measured_and_kept_in_the_bundle(gaining):
    place, report, lists = gaining
    assert {"fast", "taught", "cross", "cross_ms"} == set(report.reading)
    assert report.reading["cross_ms"] > 0
    assert report.chosen == "gbdt"
    assert not [why for why in report.left_out if why.startswith("rank.")]
    with inkling.open(bundle=place) as engine:
        again = engine.recommend(["u0", "u1"], k=5)
        assert [one.item_ids for one in again] == [one.item_ids for one in lists]
        assert again[0].left_out == ()
        engine.pipeline._rereader.cost_ms = 1e9
        hurried = engine.recommend("u0", k=5, budget_ms=1e6)
        assert hurried.left_out == ("cross encoder: 0 of 4 candidates read in time",)
        assert sorted(hurried.item_ids[:4]) == sorted(again[0].item_ids[:4])
        engine.put_items([{"item_id": "cat-tree", "title": "cat tree"}])
        assert engine.pipeline._rereader.model.items(np.array([10], np.int32)) == ["cat tree"]


def test_a_bundle_brings_its_own(gaining, shop, monkeypatch):
    monkeypatch.setattr(teaching, "_gains", lambda each: True)
    place, _, _ = gaining
    with fitted(shop, "", teacher=str(place), cross=str(place)) as engine:
        assert {"taught", "cross"} <= set(engine.pipeline.report().reading)


def test_what_gains_nothing_is_left_out_and_says_so(shop, folder, monkeypatch):
    monkeypatch.setattr(teaching, "_gains", lambda each: False)
    with fitted(shop, folder, teacher=folder, cross=folder) as engine:
        told = " ".join(engine.pipeline.report().left_out)
        assert "rank.teacher: it taught the ranker nothing" in told
        assert "rank.cross: it gains nothing" in told
        assert "cross" not in engine.pipeline.save().arrays


def test_a_bundle_without_one_is_refused(shop, saved):
    with pytest.raises(ConfigError, match="holds no cross encoder"):
        fitted(shop, "", cross=str(saved))


def test_without_windows_or_time_there_is_nothing_to_learn_from():
    choice = Choice("fused", Weights({}), None, (1.0, 0.0), {})
    asked = teaching.Teaching(RankConfig(cross="x", teacher="y"), None, {}, Run(), 60.0)
    found = asked.learn(choice, [], Orders(("fused",), {}))
    assert found.choice is choice
    assert found.left_out["rank.cross"] == "there is no window of the past"
    late = teaching.Teaching(RankConfig(cross="x"), None, {}, Run(), 0.0).learn(choice, [None], Orders((), {}))
    assert late.left_out == {"rank.cross": "there is no time for it"}
