"""What runs inside the process that is measured: it answers questions that came over a pipe, and times each of them.

Needs numpy alone. A question is a person or a text; the clock runs from the question as a string to the answer as ids
and scores. Pipes, JSON and HTTP are outside of it.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from bench.peers._wire import receive, send

Answer = Sequence[tuple[str, float]]


class Asked(Protocol):
    """What is measured."""

    def about(self) -> dict[str, Any]:
        """Return what is worth telling: versions, what was tuned."""

    def for_person(self, user_id: str, k: int) -> Answer:
        """Return ids and scores, best first."""

    def for_text(self, text: str, k: int) -> Answer:
        """Return ids and scores, best first."""


def pinned(core: int) -> None:
    """Keep this process on one core, where the system can."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def resident_mb() -> float:
    """Return the high-water mark of this process's memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def timed(answer: Callable[[str, int], Answer], asked: Sequence[str], k: int) -> tuple[Any, Any, list[list[str]]]:
    """Return nanoseconds by the wall's clock (n,) and of this process (n,), and the ids of each answer."""
    wall, cpu = np.empty(len(asked), dtype=np.int64), np.empty(len(asked), dtype=np.int64)
    told = []
    gc.collect()
    for at, one in enumerate(asked):
        worked, start = time.process_time_ns(), time.perf_counter_ns()
        found = answer(one, k)
        wall[at], cpu[at] = time.perf_counter_ns() - start, time.process_time_ns() - worked
        told.append([item_id for item_id, _ in found])
    return wall, cpu, told


def serve(make: Callable[[], Asked], *, core: int = -1) -> None:
    """Answer messages on standard input until it closes; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    pinned(core)
    made: list[Asked] = []
    while (message := receive(sys.stdin.buffer)) is not None:
        said, _ = message
        try:
            reply, arrays = _done(made, make, said)
        except Exception as error:
            reply, arrays = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}, {}
        send(answers, reply, arrays)


def _done(made: list[Asked], make: Callable[[], Asked], said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if said["do"] == "open":
        start = time.perf_counter()
        made.append(make())
        return {**made[0].about(), "open_s": time.perf_counter() - start, "mb": resident_mb()}, {}
    answer = made[0].for_person if said["do"] == "people" else made[0].for_text
    wall, cpu, told = timed(answer, said["asked"], said["k"])
    return {"told": told, "mb": resident_mb()}, {"wall": wall, "cpu": cpu}
