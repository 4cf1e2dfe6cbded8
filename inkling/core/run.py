"""What a piece of work is run with: randomness, time, threads, progress. Passed along, never global."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
Watch = Callable[[str, int, float], None]


def _silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


def _unwatched(name: str, step: int, value: float) -> None:
    """Ignore what a training measures on its way."""


def _word(name: str) -> int:
    """Return a number for a name: its bytes, or a digest where it is longer than 8 of them."""
    raw = name.encode()
    return int.from_bytes(raw if len(raw) <= 8 else hashlib.blake2b(raw, digest_size=16).digest(), "little")


@dataclass(frozen=True)
class Run:
    """The surroundings of a fit or an evaluation.

    Attributes:
        seed: Where all randomness of the run comes from.
        clock: Seconds since the epoch; tests pass their own.
        device: Where models that use an accelerator run.
        n_threads: How many threads a kernel may use.
        log: Where messages go.
        progress: Called as ``progress(stage, done, total)``.
        watch: Called as ``watch(name, step, value)`` with what a training measures on its way. What it raises ends the
            training and goes through to the caller.
    """

    seed: int = 0
    clock: Callable[[], float] = time.time
    device: str = "cpu"
    n_threads: int = 1
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("inkling"))
    progress: Progress = _silent
    watch: Watch = _unwatched

    def rng(self, *names: str) -> np.random.Generator:
        """Return a generator of its own for a named use, so that adding one use does not move another."""
        return np.random.default_rng([self.seed, *map(_word, names)])

    def now_ms(self) -> int:
        """Return the clock in epoch milliseconds."""
        return int(self.clock() * 1000)

    def with_seed(self, seed: int) -> Run:
        """Return the same surroundings with another seed."""
        return replace(self, seed=seed)

    def track(self, items: Iterable[T], stage: str, *, total: int) -> Iterator[T]:
        """Yield ``items`` while reporting progress."""
        self.progress(stage, 0, total)
        for done, item in enumerate(items, start=1):
            yield item
            self.progress(stage, done, total)
