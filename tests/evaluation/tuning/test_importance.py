"""Which settings matter, in worlds where it is known."""

import numpy as np
import pytest

from inkling.core.space import Choice, Real
from inkling.evaluation.tuning.importance import importances
from inkling.evaluation.tuning.output import TrialReport

SPACE = {"strong": Real(0, 1), "idle": Real(0, 1), "kind": Choice(("a", "b"))}


def trials(worth, n=80):
    rng = np.random.default_rng(0)
    for number in range(n):
        settings = {"strong": rng.random(), "idle": rng.random(), "kind": rng.choice(["a", "b"])}
        yield TrialReport(number, "finished", worth(settings, rng), settings)


def test_what_decides_has_the_largest_share():
    shares = importances(
        list(trials(lambda s, rng: s["strong"] + 0.1 * (s["kind"] == "a") + 0.01 * rng.random())), SPACE
    )
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["strong"] > 0.7
    assert shares["idle"] < 0.1
    assert shares["strong"] > shares["kind"]


def test_words_can_decide():
    shares = importances(list(trials(lambda s, rng: float(s["kind"] == "a") + 0.1 * rng.random())), SPACE)
    assert shares["kind"] > 0.9


def test_too_little_says_nothing():
    assert importances(list(trials(lambda s, rng: s["strong"], n=9)), SPACE) == {}
    assert importances(list(trials(lambda s, rng: 0.5)), SPACE) == {}
    pruned = [TrialReport(t.number, "pruned", t.value, t.settings) for t in trials(lambda s, rng: s["strong"])]
    assert importances(pruned, SPACE) == {}
