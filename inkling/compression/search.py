"""Which of the ways to be smaller to take: every change alone, then those together that promise most."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, product

import msgspec

from inkling.core.run import Run

AS_IS = "as is"
Choice = Mapping[str, str]
"""What is changed -> to what; what is left out stays as it is."""
_MOST_PREDICTED = 20_000
_FLOOR = 0.05  # nothing is foretold to take less than this share of what it takes now
_TIE = 0.02  # milliseconds within 2% of each other are the same: the smaller one is better then


class Axis(msgspec.Struct, frozen=True):
    """One thing that can be changed, and what it can become."""

    name: str
    options: tuple[str, ...]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one choice is worth and costs."""

    choice: dict[str, str]
    kept: float
    """Share of the quality before: the least of all that were compared."""
    kept_low: float
    """Lower end of the share's 95% interval."""
    qualities: dict[str, float]
    """What was measured -> its value."""
    ms: float
    """What the budget is about: the slowest kind of question at the 99th percentile."""
    p50_ms: float
    """The same at the median, which noise moves less: what the fastest is told by."""
    latency: dict[str, tuple[float, float]]
    """Kind of question -> p50 and p99 in milliseconds."""
    size_bytes: int
    """On disk, the encoder included."""
    memory_bytes: int
    """Resident, of a process that answers."""
    items_per_s: float
    """Texts of items read in a second."""
    note: str = ""

    @property
    def name(self) -> str:
        """Return the choice in words."""
        return choice_name(self.choice)


class Limits(msgspec.Struct, frozen=True):
    """What a choice has to meet: at most ``budget_ms``, and at least the share ``keep`` of the quality."""

    budget_ms: float
    keep: float

    def meets(self, found: Measured) -> bool:
        """Tell whether both limits are met."""
        return found.ms <= self.budget_ms and found.kept >= self.keep

    def distance(self, found: Measured) -> float:
        """Return how far a choice is from both limits: 0 where it meets them, else the larger excess as a share."""
        slow = max(found.ms / self.budget_ms - 1, 0.0)
        poor = max((self.keep - found.kept) / max(self.keep, 1e-9), 0.0)
        return max(slow, poor)


Judge = Callable[[Choice], "Measured | None"]
"""Measures a choice; None where it cannot be made."""


def choice_name(choice: Choice) -> str:
    """Return a choice in words: ``encoder static, ranker half``."""
    return ", ".join(f"{axis} {option}" for axis, option in sorted(choice.items())) or AS_IS


def dominates(one: Measured, other: Measured) -> bool:
    """Tell whether ``one`` is at least as good in quality, milliseconds and size, and better in one of them."""
    ours, theirs = _costs(one), _costs(other)
    return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs


def _costs(found: Measured) -> tuple[float, float, float]:
    return -found.kept, found.ms, float(found.size_bytes)


def frontier(found: Iterable[Measured]) -> tuple[Measured, ...]:
    """Return what no other dominates, the fastest first."""
    every = list(found)
    best = [one for one in every if not any(dominates(other, one) for other in every)]
    return tuple(sorted(best, key=lambda one: (one.ms, one.size_bytes, -one.kept)))


def ranked(found: Iterable[Measured], limits: Limits) -> list[Measured]:
    """Return what meets both limits, the best first: the fastest at the median, then the smaller, then the better."""
    meets = [one for one in found if limits.meets(one)]
    return sorted(meets, key=lambda one: (round(math.log(max(one.p50_ms, 1e-6)) / _TIE), one.size_bytes, -one.kept))


def nearest(found: Iterable[Measured], limits: Limits) -> Measured | None:
    """Return what is nearest to the limits; None where there is nothing."""
    return min(found, key=lambda one: (limits.distance(one), one.ms), default=None)


def walk(
    axes: Sequence[Axis],
    judge: Judge,
    limits: Limits,
    *,
    run: Run,
    deadline: float = math.inf,
    most: int = 60,
) -> list[Measured]:
    """Measure as it is, every change alone, and then the changes together that promise most.

    What several changes do together is foretold from what each does alone (shares multiply, milliseconds and bytes
    add), and whatever is foretold to lie on the frontier near the limits is measured, the most promising first.

    Args:
        axes: What can be changed; an option that cannot be made is passed over.
        judge: Measures a choice.
        limits: What is to be met.
        run: Progress.
        deadline: What ``time.perf_counter`` may not pass by much; as it is is always measured.
        most: How many choices are measured at most.
    """
    alone: list[Choice] = [{axis.name: option} for axis in axes for option in axis.options]
    found: dict[str, Measured] = {}
    tried: set[str] = set()

    def take(choice: Choice, total: int) -> None:
        run.progress("measuring choices", len(tried), total)
        tried.add(choice_name(choice))
        measured = judge(choice)
        if measured is not None:
            found[choice_name(choice)] = measured

    total = min(most, 1 + len(alone))
    take({}, total)
    for choice in alone:
        if len(found) < most and time.perf_counter() < deadline:
            take(choice, total)
    while len(found) < most and time.perf_counter() < deadline:
        promising = next(iter(_promising(axes, found, tried, limits)), None)
        if promising is None:
            break
        take(promising, min(most, len(tried) + 1))
    run.progress("measuring choices", len(tried), len(tried))
    return list(found.values())


def _promising(axes: Sequence[Axis], found: Mapping[str, Measured], tried: set[str], limits: Limits) -> list[Choice]:
    """Return choices not tried that are foretold to be better than what was found, the most promising first."""
    base = found.get(AS_IS)
    if base is None:
        return []
    foretold = [foretell(choice, base, found) for choice in _together(axes, found) if choice_name(choice) not in tried]
    known = list(found.values())
    met = ranked(known, limits)
    if met:
        better = [one for one in foretold if limits.meets(one) and ranked([one, met[0]], limits)[0] is one]
        return [one.choice for one in ranked(better, limits)]
    goal = min((limits.distance(one) for one in known), default=math.inf)
    closer = [one for one in foretold if limits.distance(one) < goal]
    return [one.choice for one in sorted(closer, key=lambda one: (limits.distance(one), len(one.choice), one.ms))]


def _together(axes: Sequence[Axis], found: Mapping[str, Measured]) -> list[Choice]:
    """Return choices of several changes, each of which could be made alone."""
    options = [["", *(option for option in axis.options if choice_name({axis.name: option}) in found)] for axis in axes]
    names = [axis.name for axis in axes]
    every = ({n: o for n, o in zip(names, one, strict=True) if o} for one in islice(product(*options), _MOST_PREDICTED))
    return [choice for choice in every if len(choice) > 1]


def foretell(choice: Choice, base: Measured, found: Mapping[str, Measured]) -> Measured:
    """Return what several changes are expected to do together: shares multiply, milliseconds and bytes add."""
    kept, ms, p50_ms, size = 1.0, base.ms, base.p50_ms, base.size_bytes
    for axis, option in choice.items():
        one = found[choice_name({axis: option})]
        kept, size = kept * one.kept, size + one.size_bytes - base.size_bytes
        ms, p50_ms = ms + one.ms - base.ms, p50_ms + one.p50_ms - base.p50_ms
    return msgspec.structs.replace(
        base,
        choice=dict(choice),
        kept=kept,
        kept_low=kept,
        ms=max(ms, _FLOOR * base.ms),
        p50_ms=max(p50_ms, _FLOOR * base.p50_ms),
        size_bytes=max(size, 0),
        note="foretold",
    )
