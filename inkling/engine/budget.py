"""What an answer may cost: each part has a measured, moving cost, and a request with a budget runs what fits.

What every answer needs (state, the cheap recall, an order, the rules, the lines) is the least. What makes it better is
taken as long as it fits: reading the text, the members that are asked one by one in the order of worth per cost, the
ranker, reasons. What does not fit is named in ``left_out``; nothing is begun that would have to be broken off. Where
not even the least fits, the answer is refused before it is begun.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from inkling.core.errors import OverloadError

LEAST = "least"
_NEW = 0.1
_FADE = 0.97
_FLOOR_MS = 0.05
_STAGES = ("state", "recall", "features", "rank", "policy", "answer")


@runtime_checkable
class Measured(Protocol):
    """An engine that knows what the parts of its answers cost."""

    def costs(self) -> dict[str, float]:
        """Return milliseconds by part; ``LEAST`` is what every answer takes."""


class Costs:
    """Moving milliseconds for one person, by part. Any thread may note while others ask.

    The expected cost is the mean plus twice the mean deviation, as TCP estimates round trips (RFC 6298), so that what
    is begun nearly always ends in time. One slow moment counts for at most four usual ones, and a cost that halved is
    believed sooner, as the first answers, with cold caches, are the slowest; what is left out fades, so that it is
    tried and measured again.
    """

    __slots__ = ("_mean", "_spread")

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}
        self._spread: dict[str, float] = {}

    def note(self, part: str, ms: float) -> None:
        """Take in what a part took for one person."""
        mean = self._mean.get(part)
        if mean is None:
            self._mean[part], self._spread[part] = ms, ms / 4
            return
        ms = min(ms, 4 * mean + _FLOOR_MS)
        if ms < mean / 2:
            self._mean[part] = (mean + ms) / 2
            self._spread[part] = self._mean[part] / 4
            return
        self._mean[part] = mean + _NEW * (ms - mean)
        self._spread[part] += _NEW * (abs(ms - mean) - self._spread[part])

    def expected(self, part: str) -> float:
        """Return what a part is expected to take for one person; 0 where it was never measured."""
        return self._mean.get(part, 0.0) + 2 * self._spread.get(part, 0.0)

    def fade(self, part: str) -> None:
        """Make a part that was left out a little cheaper."""
        if part in self._mean:
            self._mean[part] *= _FADE
            self._spread[part] *= _FADE

    def told(self) -> dict[str, float]:
        """Return the expected cost of every part."""
        return {part: round(self.expected(part), 4) for part in list(self._mean)}


class Budget:
    """The time of one request: what is left, what fits, what each part took."""

    __slots__ = ("_costs", "_left_out", "_limit_ms", "_n", "_parts", "_skipped", "_start")

    def __init__(self, limit_ms: float | None, costs: Costs | None, left_out: list[str]) -> None:
        """Begin a request that may take ``limit_ms`` from now on; None is no limit."""
        self._limit_ms, self._costs, self._left_out = limit_ms, costs, left_out
        self._start, self._n = time.perf_counter(), 1
        self._parts: list[tuple[str, str, float]] = []
        self._skipped: set[str] = set()

    def remaining_ms(self) -> float:
        """Return what is left; infinity without a limit."""
        if self._limit_ms is None:
            return float("inf")
        return self._limit_ms - 1000 * (time.perf_counter() - self._start)

    def begin(self, n_people: int) -> None:
        """Refuse what cannot be answered in time.

        Raises:
            OverloadError: Not even the least fits.
        """
        self._n = n_people
        if self._limit_ms is None or self._costs is None:
            return
        least = n_people * self._costs.expected(LEAST)
        if least > self.remaining_ms():
            for part in (LEAST, *(f"{LEAST}.{stage}" for stage in _STAGES)):
                self._costs.fade(part)
            raise OverloadError(
                f"The cheapest answer takes some {least:.2g} ms, and {max(self.remaining_ms(), 0.0):.2g} ms are left.",
                hint="Try again in a moment, or with a larger budget_ms.",
            )

    def fits(self, part: str, stage: str, *, named: str = "") -> bool:
        """Return whether there is time for an optional part of a stage, and for the least of all that follows.

        Args:
            part: What the part is known by.
            stage: The stage that it belongs to.
            named: What ``left_out`` calls it; its own name where this is empty.
        """
        if self._limit_ms is None or self._costs is None:
            return True
        if part in self._skipped:
            return False
        needed = self._costs.expected(part) + sum(
            self._costs.expected(f"{LEAST}.{later}") for later in _STAGES[_STAGES.index(stage) :]
        )
        if self._n * needed <= self.remaining_ms():
            return True
        self._costs.fade(part)
        self._skipped.add(part)
        self._left_out.append(f"{named or part}: no time")
        return False

    def by_worth(self, worth: Mapping[str, float]) -> list[str]:
        """Return parts in the order of worth per cost."""
        if self._costs is None:
            return list(worth)
        cost = {part: max(self._costs.expected(part), 1e-6) for part in worth}
        return sorted(worth, key=lambda part: -worth[part] / cost[part])

    @property
    def limited(self) -> bool:
        """Return whether there is a limit."""
        return self._limit_ms is not None

    def part(self, name: str, stage: str) -> Part:
        """Return what measures the time spent inside it as an optional part of a stage."""
        return Part(self._parts, name, stage)

    def settle(self, timings_ms: Mapping[str, float]) -> None:
        """Take in what an answer took: its stages, less their optional parts, are what every answer needs."""
        if self._costs is None:
            return
        least = dict(timings_ms)
        for _, stage, ms in self._parts:
            least[stage] = least.get(stage, 0.0) - ms
        for name, ms in _summed(self._parts).items():
            self._costs.note(name, ms / self._n)
        for stage, ms in least.items():
            self._costs.note(f"{LEAST}.{stage}", max(ms, 0.0) / self._n)
        self._costs.note(LEAST, max(sum(least.values()), 0.0) / self._n)


class Part:
    """A stretch of time; plain methods, as for stages."""

    __slots__ = ("_name", "_parts", "_stage", "_start")

    def __init__(self, parts: list[tuple[str, str, float]], name: str, stage: str) -> None:
        self._parts, self._name, self._stage = parts, name, stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._parts.append((self._name, self._stage, 1000 * (time.perf_counter() - self._start)))


def _summed(parts: Iterable[tuple[str, str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, _, ms in parts:
        found[name] = found.get(name, 0.0) + ms
    return found
