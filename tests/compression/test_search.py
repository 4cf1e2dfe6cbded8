"""The frontier is never dominated, the choice meets both limits, and the walk finds what is best."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.compression.search import (
    AS_IS,
    Axis,
    Limits,
    Measured,
    choice_name,
    dominates,
    foretell,
    frontier,
    nearest,
    ranked,
    walk,
)
from inkling.core.run import Run


def measured(choice=None, *, kept=1.0, ms=1.0, size=100):
    return Measured(
        choice=dict(choice or {}),
        kept=kept,
        kept_low=kept,
        qualities={"answers": kept},
        ms=ms,
        p50_ms=ms / 2,
        latency={"a person": (ms / 2, ms)},
        size_bytes=size,
        memory_bytes=size,
        items_per_s=1.0,
    )


POINTS = st.lists(
    st.builds(
        lambda n, kept, ms, size: measured({"n": str(n)}, kept=kept, ms=ms, size=size),
        st.integers(0, 10**9),
        st.sampled_from([0.5, 0.9, 0.99, 1.0, 1.01]),
        st.floats(0.01, 50),
        st.integers(1, 5),
    ),
    max_size=25,
)
LIMITS = st.builds(Limits, st.floats(0.05, 60), st.floats(0.1, 1.0))


@given(POINTS)
def test_nothing_on_the_frontier_is_dominated_and_everything_else_is(points):
    front = frontier(points)
    assert not any(dominates(other, one) for one in front for other in points)
    assert all(any(dominates(better, one) for better in front) for one in points if one not in front)
    assert [one.ms for one in front] == sorted(one.ms for one in front)
    assert bool(front) == bool(points)


@given(POINTS, LIMITS)
def test_what_is_chosen_meets_both_limits(points, limits):
    best = ranked(points, limits)
    assert all(one.ms <= limits.budget_ms and one.kept >= limits.keep for one in best)
    assert len(best) == sum(limits.meets(one) for one in points)
    if best:
        assert best[0].ms <= 1.03 * min(one.ms for one in best)


@given(POINTS, LIMITS)
def test_the_nearest_is_as_near_as_any(points, limits):
    near = nearest(points, limits)
    if not points:
        assert near is None
        return
    assert limits.distance(near) == min(limits.distance(one) for one in points)
    assert (limits.distance(near) == 0) == any(limits.meets(one) for one in points)


class World:
    """Changes whose costs multiply and add exactly, so that the best of all products is known."""

    def __init__(self, effects, *, made=frozenset()):
        self.effects, self.asked, self.cannot = effects, [], made

    def axes(self):
        return tuple(Axis(name, tuple(options)) for name, options in self.effects.items())

    def judge(self, choice):
        self.asked.append(choice_name(choice))
        if choice_name(choice) in self.cannot:
            return None
        kept, ms, size = 1.0, 20.0, 1000
        for axis, option in choice.items():
            share, less, smaller = self.effects[axis][option]
            kept, ms, size = kept * share, ms - less, size - smaller
        return measured(choice, kept=kept, ms=ms, size=size)


EFFECTS = {
    "encoder": {"int8": (0.999, 3.0, 300), "table": (0.90, 5.0, 500)},
    "ranker": {"half": (0.997, 1.0, 10), "none": (0.95, 2.0, 20)},
    "member a": {"left out": (0.998, 1.5, 50)},
    "member b": {"left out": (0.97, 2.5, 50)},
}


def test_the_walk_finds_changes_that_only_together_meet_the_limits():
    world = World(EFFECTS)
    limits = Limits(budget_ms=15.0, keep=0.99)
    found = walk(world.axes(), world.judge, limits, run=Run())
    best = ranked(found, limits)[0]
    assert best.name == "encoder int8, member a left out, ranker half"
    assert world.asked[0] == AS_IS
    assert len(world.asked) == len(set(world.asked)) < 1 + 6 + 20  # far from the product of 36


@given(st.floats(8.0, 22.0), st.floats(0.8, 1.0))
def test_the_walk_reaches_the_best_of_the_whole_product(budget_ms, keep):
    world, limits = World(EFFECTS), Limits(budget_ms, keep)
    found = walk(world.axes(), world.judge, limits, run=Run(), most=200)
    options = [[None, *axis.options] for axis in world.axes()]
    names = [axis.name for axis in world.axes()]
    every = [{}]
    for name, values in zip(names, options, strict=True):
        every = [{**one, **({name: value} if value else {})} for one in every for value in values]
    possible = ranked([World(EFFECTS).judge(one) for one in every], limits)
    assert bool(possible) == bool(ranked(found, limits))
    if possible:
        assert ranked(found, limits)[0].ms == pytest.approx(possible[0].ms, rel=0.03)


def test_what_cannot_be_made_is_passed_over():
    world = World(EFFECTS, made=frozenset({"encoder int8"}))
    found = walk(world.axes(), world.judge, Limits(15.0, 0.9), run=Run())
    assert not any(one.choice.get("encoder") == "int8" for one in found)
    assert ranked(found, Limits(15.0, 0.9))


def test_without_time_only_what_is_there_is_measured():
    world = World(EFFECTS)
    found = walk(world.axes(), world.judge, Limits(15.0, 0.9), run=Run(), deadline=time.perf_counter() - 1)
    assert [one.name for one in found] == [AS_IS]


def test_no_more_than_most_are_measured():
    world = World(EFFECTS)
    walk(world.axes(), world.judge, Limits(0.1, 1.0), run=Run(), most=4)
    assert len(world.asked) == 4


def test_what_is_foretold_multiplies_and_adds():
    world = World(EFFECTS)
    found = {choice_name(one): world.judge(one) for one in ({"encoder": "int8"}, {"ranker": "none"})}
    told = foretell({"encoder": "int8", "ranker": "none"}, world.judge({}), found)
    assert told.kept == pytest.approx(0.999 * 0.95)
    assert told.ms == pytest.approx(15.0)
    assert told.size_bytes == 680


def test_the_distance_is_the_larger_excess():
    limits = Limits(2.0, 0.5)
    assert limits.distance(measured(kept=0.25, ms=3.0)) == 0.5
    assert limits.distance(measured(kept=0.5, ms=2.0)) == 0
    assert math.isclose(limits.distance(measured(kept=0.4, ms=1.0)), 0.2)
