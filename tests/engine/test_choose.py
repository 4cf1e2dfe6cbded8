"""Choosing by validation: measured as the metrics do, a fusion no worse than its best, probabilities that are true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.engine import choose
from inkling.engine.recall import labels_of
from inkling.metrics.catalog import compute
from inkling.ranking.base import RankingSet

N_ITEMS = 30


def window(seed, n=6, names=("a", "b", "c")):
    """Return people with random candidates, targets that recall partly missed, and members who know a little."""
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(N_ITEMS)[: rng.integers(0, 20)].astype(np.int32) for _ in range(n)]
    targets = Jagged.from_lists([rng.permutation(N_ITEMS)[: rng.integers(1, 14)] for _ in range(n)])
    lists = Jagged.from_lists(rows)
    zeros = np.zeros(len(lists.values), dtype=np.float32)
    items = Candidates.of(lists.offsets, lists.values, zeros, source="x")
    labels = labels_of(items, (targets.offsets, targets.values), N_ITEMS)
    noise = {f"says_{name}": (labels * rng.random() + rng.random(len(labels))).astype(np.float32) for name in names}
    query = Query(History.empty(n), np.zeros(n, dtype=np.int64), N_ITEMS, np.arange(n, dtype=np.int32))
    return choose.judged(RankingSet(query, items.with_fields(noise), labels), targets), targets


@given(st.integers(0, 1000))
def test_ndcg_is_the_one_of_the_metrics(seed):
    judged, targets = window(seed)
    scores = judged.items.fields["says_a"]
    ordered = judged.items.with_scores(scores)
    recommended = np.full((len(ordered), 20), -1, dtype=np.int32)
    for person in range(len(ordered)):
        mine = ordered.rows_of(person)
        recommended[person, : len(mine)] = mine
    want = compute(["ndcg@10"], recommended, targets)["ndcg@10"]
    np.testing.assert_allclose(judged.ndcg(scores), want, atol=1e-12)
    assert choose.mean_ndcg([judged, judged], [scores, scores]) == pytest.approx(want.mean())


def test_nothing_to_measure_is_zero():
    assert choose.mean_ndcg([], []) == 0.0


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_a_fusion_is_never_worse_than_its_best_member(seed):
    windows = [window(seed)[0], window(seed + 5000)[0]]
    weights = choose.fusion_weights(windows, ["a", "b", "c"])
    best = max(choose.mean_alone(windows, {name: 1.0}) for name in weights)
    assert choose.mean_alone(windows, weights) >= best
    assert set(weights) == {"a", "b", "c"}
    assert any(weights.values())


def test_a_member_that_misleads_gets_no_weight():
    judged, _ = window(1, n=40)
    labels = judged.data.labels
    fields = {"says_good": labels, "says_bad": 1 - labels}
    told = choose.judged(
        RankingSet(judged.data.query, judged.items.with_fields(fields), labels),
        Jagged(np.concatenate([[0], np.cumsum(judged.n_targets)]), np.zeros(0, dtype=np.int32)),
    )
    weights = choose.fusion_weights([told], ["bad", "good"])
    assert weights["bad"] == 0
    assert weights["good"] > 0


def test_some_people_of_a_window_are_measured_as_in_the_whole():
    judged, _ = window(3, n=9)
    scores = judged.items.fields["says_a"]
    people = np.array([7, 2, 4])
    some = choose.part(judged, people)
    assert some.ndcg(some.items.fields["says_a"]).tolist() == judged.ndcg(scores)[people].tolist()
    (thin,) = choose.thin([judged], n_people=3)
    assert len(thin.items) == 3


def test_several_windows_as_one_set():
    one, other = window(1)[0], window(2, n=3, names=("a", "b"))[0]
    whole = choose.pooled([one, other])
    assert len(whole.candidates) == 9
    assert set(whole.candidates.fields) == {"says_a", "says_b"}
    assert whole.labels.tolist() == [*one.data.labels.tolist(), *other.data.labels.tolist()]
    assert whole.candidates.rows_of(7).tolist() == other.items.rows_of(1).tolist()
    assert choose.pooled([one]) is one.data


def probability(curve, scores):
    return 1 / (1 + np.exp(-(curve[0] * scores + curve[1])))


@pytest.mark.parametrize(
    ("slope", "intercept", "shift", "scale"), [(2.0, -3.0, 0, 1), (0.5, -1.0, 100, 1), (3.0, -4.0, 0, 1e-3)]
)
def test_probabilities_are_those_that_made_the_labels(slope, intercept, shift, scale):
    rng = np.random.default_rng(0)
    raw = rng.normal(size=60_000)
    chance = 1 / (1 + np.exp(-(slope * raw + intercept)))
    labels = (rng.random(len(raw)) < chance).astype(np.float32)
    scores = (raw * scale + shift).astype(np.float32)
    curve = choose.calibrate(scores, labels)
    assert curve[0] > 0
    np.testing.assert_allclose(probability(curve, scores.astype(np.float64)).mean(), labels.mean(), atol=2e-3)
    for low, high in ((-1, 0), (0, 1), (1, 2)):
        inside = (raw >= low) & (raw < high)
        assert probability(curve, scores[inside].astype(np.float64)).mean() == pytest.approx(
            chance[inside].mean(), abs=0.015
        )


@pytest.mark.parametrize("labels", [np.zeros(50), np.ones(50), np.linspace(1, 0, 50) > 0.5])
def test_the_curve_always_rises(labels):
    curve = choose.calibrate(np.linspace(0, 1, 50, dtype=np.float32), labels.astype(np.float32))
    assert curve[0] > 0
    assert np.isfinite(curve).all()
    assert np.isfinite(choose.calibrate(np.zeros(5, dtype=np.float32), np.ones(5, dtype=np.float32))).all()


@pytest.mark.parametrize("n", [1, 20, 5000])
def test_where_nobody_took_anything_the_chance_is_small_and_where_all_did_it_is_large(n):
    scores = np.linspace(0, 1, n, dtype=np.float32)
    none = probability(choose.calibrate(scores, np.zeros(n, dtype=np.float32)), scores)
    every = probability(choose.calibrate(scores, np.ones(n, dtype=np.float32)), scores)
    assert none.mean() == pytest.approx(1 / (n + 2), rel=0.05)
    assert every.mean() == pytest.approx((n + 1) / (n + 2), rel=0.05)


def test_scores_that_tell_all_apart_give_a_finite_curve():
    scores = np.array([0, 0.1, 0.2, 0.8, 0.9, 1], dtype=np.float32)
    chance = probability(choose.calibrate(scores, (scores > 0.5).astype(np.float32)), scores)
    assert chance[2] < 0.35
    assert chance[3] > 0.65
    assert (np.diff(chance) > 0).all()


def test_scores_that_differ_by_rounding_only_teach_no_steep_curve():
    scores = np.array([1, 1 - 1e-7, 1, 1, 1 + 1e-7], dtype=np.float32)
    curve = choose.calibrate(scores, np.zeros(5, dtype=np.float32))
    assert probability(curve, np.array([0.0, 1.0, 2.0])).max() < 0.5


def test_weights_follow_the_length_of_history():
    """One member knows what people with little history take, the other what those with much take."""
    rng = np.random.default_rng(3)
    n, per = 400, 12
    long = np.arange(n) % 2 == 1
    offsets = np.arange(n + 1) * per
    rows = np.tile(np.arange(per, dtype=np.int32), n)
    labels = (np.arange(n * per) % per == np.repeat(rng.integers(0, per, n), per)).astype(np.float32)
    owner = np.repeat(long, per)
    noise = rng.random((2, n * per)).astype(np.float32)
    knows = 0.4 * labels
    fields = {"says_short": noise[0] + np.where(owner, 0, knows), "says_long": noise[1] + np.where(owner, knows, 0)}
    items = Candidates.of(offsets, rows, np.zeros(n * per, dtype=np.float32), source="x").with_fields(fields)
    lengths = np.where(long, 30, 2)
    history = History.of_items(Jagged(np.concatenate([[0], np.cumsum(lengths)]), np.zeros(lengths.sum(), np.int32)))
    query = Query(history, np.zeros(n, dtype=np.int64), per, np.arange(n, dtype=np.int32))
    window = choose.Judged(RankingSet(query, items, labels), np.ones(n, dtype=np.int64))
    weights = choose.weights_by_length([window], ["short", "long"])
    assert weights.of(2)["short"] > 2 * weights.of(2)["long"]
    assert weights.of(30)["long"] > 2 * weights.of(30)["short"]
    everyone = choose.mean_ndcg([window], [choose.fused(query, items, weights.everyone)])
    assert choose.mean_ndcg([window], [choose.fused(query, items, weights)]) > everyone + 0.05
