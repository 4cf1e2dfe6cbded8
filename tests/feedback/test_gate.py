"""A new model takes over only where it is no worse, and a fall is one that chance does not explain."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.feedback.gate import compare, fallen


def test_no_worse_is_accepted_and_worse_is_not():
    before = np.linspace(0, 1, 50)
    same, better, worse = (compare(before, before + shift) for shift in (0.0, 0.1, -0.01))
    assert (same.accepted, better.accepted, worse.accepted) == (True, True, False)
    assert better.after - better.before == pytest.approx(0.1)
    assert better.low <= 0.1 <= better.high
    assert "no worse" in same.why
    assert worse.why.endswith(": worse")


def test_few_people_tell_nothing():
    found = compare(np.zeros(19), np.ones(19))
    assert not found.accepted
    assert "only 19 people" in found.why
    assert compare(np.zeros(1), np.ones(1), min_people=1).accepted


@pytest.mark.parametrize(
    ("was", "now", "fell"),
    [
        ((1000, 0.2), (1000, 0.1), True),
        ((1000, 0.2), (1000, 0.15), False),
        ((1000, 0.2), (100, 0.0), False),
        ((100, 0.2), (1000, 0.0), False),
        ((500, 0.004), (500, 0.002), False),
        ((1000, 0.0), (1000, 0.0), False),
        ((1000, 0.2), (1000, 0.4), False),
    ],
)
def test_a_fall(was, now, fell):
    assert fallen(was, now) is fell
