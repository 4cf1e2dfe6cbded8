"""Randomness, time and progress are passed along."""

from __future__ import annotations

import itertools

from inkling.core.run import Run


def draw(run, *names):
    return run.rng(*names).integers(1 << 62, size=4).tolist()


def test_one_use_does_not_move_another():
    uses = [("windows",), ("people",), ("windows", "people"), ("people", "windows"), ()]
    uses += [("negatives.train",), ("negatives.test",), ("negatives",), ("negative", "s")]
    for one, other in itertools.combinations(uses, 2):
        assert draw(Run(seed=3), *one) != draw(Run(seed=3), *other), (one, other)


def test_the_seed_says_it_all():
    assert draw(Run(seed=3), "a") == draw(Run(seed=3), "a")
    assert draw(Run(seed=3), "a") != draw(Run(seed=4), "a")
    assert draw(Run(seed=3).with_seed(4), "a") == draw(Run(seed=4), "a")


def test_the_clock_is_the_callers():
    assert Run(clock=lambda: 12.3456).now_ms() == 12345


def test_progress_is_told_at_the_start_and_after_each():
    told = []
    run = Run(progress=lambda *step: told.append(step))
    assert list(run.track("ab", "reading", total=2)) == ["a", "b"]
    assert told == [("reading", 0, 2), ("reading", 1, 2), ("reading", 2, 2)]
