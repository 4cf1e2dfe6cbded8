"""Settings of a measurement, and its fingerprint."""

from __future__ import annotations

import hashlib
import json

import pytest

from inkling.core.errors import ProtocolError
from inkling.protocol.fingerprint import candidate_ids, fingerprint, fingerprint_of, target_pairs
from inkling.protocol.fold import sampled
from inkling.protocol.spec import ProtocolSpec, describe, resolve
from inkling.testing.logs import catalogue, folds_of, people, scenario, targets

ROWS = [("a", "x", 1), ("b", "é", 2), ("b", "y", 3), ("a", "y", 4), ("b", "x", 5), ("c", "x", 6)]


@pytest.mark.parametrize(("time", "split"), [("real", "time"), ("order", "loo"), ("none", "random")])
def test_the_default_split_follows_what_timestamps_mean(time, split):
    assert resolve(ProtocolSpec(), scenario(time=time)).split == split


def test_seen_follows_the_scenario():
    assert resolve(ProtocolSpec(), scenario(seen="drop")).seen == "drop"
    assert resolve(ProtocolSpec(seen="keep"), scenario(seen="drop")).seen == "keep"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"split": "tiem"}, "no split 'tiem'. Did you mean 'time'"),
        ({"seen": "maybe"}, "seen is 'maybe'"),
        ({"cuts": (1.0,)}, "expected shares between 0 and 1"),
        ({"cuts": ()}, "expected shares between 0 and 1"),
        ({"ks": (0,)}, "expected whole numbers from 1"),
        ({"folds": 1}, "expected 0 .off. or at least 2"),
        ({"cold_folds": 1}, "cold_folds is 1"),
        ({"seeds": ()}, "No seed"),
        ({"n_resamples": 0}, "n_resamples is 0"),
    ],
)
def test_what_does_not_fit_is_an_error(settings, words):
    with pytest.raises(ProtocolError, match=words):
        resolve(ProtocolSpec(**settings), scenario())


def test_metric_names():
    spec = ProtocolSpec(ks=(5, 10), metrics=("ndcg", "hit"))
    assert spec.metric_names == ("ndcg@5", "hit@5", "ndcg@10", "hit@10")
    assert spec.k == 10


def test_a_description_says_what_the_split_uses():
    assert describe(resolve(ProtocolSpec(), scenario())) == {"split": "time", "seen": "keep", "folds": 0, "cuts": [0.9]}
    assert "split_seed" in describe(resolve(ProtocolSpec(), scenario(time="none")))
    assert "cold_folds" in describe(resolve(ProtocolSpec(split="cold"), scenario()))


def test_the_fingerprint_by_hand():
    lines = ['{"a":1,"b":"é"}', '["a","y"]', '["b","x"]', '"x"', '"é"']
    by_hand = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    assert fingerprint_of({"b": "é", "a": 1}, [("b", "x"), ("a", "y")], ["é", "x"]) == by_hand


def test_one_folds_fingerprint_is_the_plain_one_and_stable():
    folds = folds_of(ROWS, catalogue("xyw"), cuts=(0.5,))
    said = {"split": "time"}
    plain = fingerprint_of(said, target_pairs(folds[0]), candidate_ids(folds[0]))
    assert fingerprint(said, folds) == plain
    assert fingerprint(said, folds_of(ROWS, catalogue("wyx"), cuts=(0.5,))) == plain
    assert fingerprint(said, folds_of(ROWS, catalogue("xy"), cuts=(0.5,))) != plain
    assert fingerprint({"split": "loo"}, folds) != plain


def test_the_training_fingerprint_is_of_the_training_rows():
    (fold,) = folds_of(ROWS, cuts=(0.5,))
    rows = sorted([u, i, t, "buy"] for u, i, t in ROWS if t <= fold.cut)
    lines = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)
    assert fold.train.fingerprint == hashlib.sha256(lines.encode()).hexdigest()


def test_a_sample_keeps_people_with_their_targets_and_groups():
    import numpy as np

    rows = [(user, item, t) for t, (user, item) in enumerate((u, i) for i in "wxyz" for u in "abcdefgh")]
    (fold,) = folds_of([*rows, ("n", "x", 99)], cuts=(0.6,))
    some = sampled(fold, 4, np.random.default_rng(0))
    assert len(some) == 4
    assert targets(some).items() <= targets(fold).items()
    assert set(people(some, "warm")) == set(targets(some)) & set(people(fold, "warm"))
    assert sampled(fold, 100, np.random.default_rng(0)) is fold
