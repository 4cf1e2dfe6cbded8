"""How noisy the machine is meanwhile: two fixed pieces of work, timed again and again between what is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

_MATRIX = np.random.default_rng(0).normal(size=(10, 4000)).astype(np.float32)


def python_loop() -> int:
    """Add up ten thousand squares."""
    total = 0
    for number in range(10_000):
        total += number * number
    return total


def numpy_op() -> float:
    """Sort ten rows of four thousand numbers in part, and add them up."""
    return float(np.partition(_MATRIX, 3900, axis=1)[:, 3900:].sum() + (_MATRIX * _MATRIX).sum())


WORK: dict[str, Callable[[], object]] = {"python loop": python_loop, "numpy op": numpy_op}


@dataclass
class Noise:
    """Durations of the fixed work, in microseconds by the wall's clock."""

    took_us: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in WORK})

    def sample(self) -> None:
        """Do each piece of work once."""
        for name, work in WORK.items():
            start = time.perf_counter_ns()
            work()
            self.took_us[name].append((time.perf_counter_ns() - start) / 1000)

    def summary(self) -> dict[str, dict[str, float]]:
        """Return for each piece of work its best, median and 99th percentile in microseconds."""
        return {
            name: {
                "best_us": min(took),
                "p50_us": float(np.percentile(took, 50)),
                "p99_us": float(np.percentile(took, 99)),
            }
            for name, took in self.took_us.items()
        }

    @property
    def factor(self) -> float:
        """Return how much slower than at its own best the machine typically was; 1 is a machine at rest."""
        return float(np.mean([row["p50_us"] / row["best_us"] for row in self.summary().values()]))
