"""Durations of single calls, taken by turns in short blocks beside a fixed piece of work, and how they are told."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench._noise import Noise

Call = Callable[[int], object]
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Took:
    """Microseconds of single calls: blocks in the order in which they were measured."""

    blocks: tuple[tuple[float, ...], ...]

    def row(self) -> dict[str, float]:
        """Return the median and the 99th percentile over all calls, and both in the quietest block."""
        every = np.concatenate([np.array(block) for block in self.blocks])
        quiet = np.array(min(self.blocks, key=lambda block: float(np.median(block))))
        return {
            "p50_us": float(np.median(every)),
            "p99_us": float(np.percentile(every, 99)),
            "quiet_p50_us": float(np.median(quiet)),
            "quiet_p99_us": float(np.percentile(quiet, 99)),
        }


def by_turns(calls: Mapping[str, Call], *, rounds: int, size: int, noise: Noise) -> dict[str, Took]:
    """Return what each call took: in each round every one has a block of ``size`` calls, numbered throughout."""
    took: dict[str, list[tuple[float, ...]]] = {name: [] for name in calls}
    for call in calls.values():
        call(0)
    for turn in range(rounds):
        noise.sample()
        for name, call in calls.items():
            took[name].append(tuple(_timed(call, turn * size + at) for at in range(size)))
    return {name: Took(tuple(blocks)) for name, blocks in took.items()}


def _timed(call: Call, number: int) -> float:
    start = time.perf_counter_ns()
    call(number)
    return (time.perf_counter_ns() - start) / 1000


def resident_mb() -> float:
    """Return the resident memory of this process in MB (a million bytes); where it is not told, the most it had."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3


def told(goals: Sequence[tuple[str, float, float, str]]) -> bool:
    """Print each goal (what, value, limit from above, unit) with reached or MISSED; return whether all are reached."""
    width = max(len(what) for what, *_ in goals)
    for what, value, limit, unit in goals:
        outcome = "reached" if value <= limit else "MISSED"
        print(f"{what:<{width}}  {value:>10.3f} {unit:<3} goal <= {limit:<6g} {outcome}")
    return all(value <= limit for _, value, limit, _ in goals)
