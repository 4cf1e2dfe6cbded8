"""What a bundle costs to serve: asked in a process of its own, on one thread, as a server would be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inkling.core.errors import InklingError

PERSON, TEXT, VECTOR = "a person", "a sentence", "text to vector"
"""Kinds of questions: somebody known; a sentence of somebody unknown; and what reading such a sentence takes of it."""
_WORDS = 12
_WARM = 10
_TIMEOUT_S = 900
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_STATM = Path("/proc/self/statm")


class Weighed(msgspec.Struct, frozen=True):
    """What a bundle costs."""

    latency: dict[str, tuple[float, float]]
    """Kind of question -> p50 and p99 in milliseconds."""
    memory_bytes: int
    """Resident, once questions were answered."""
    items_per_s: float
    """Texts of items read in a second; 0 without texts."""


def weigh(folder: Path, *, n: int = 300, n_texts: int = 120) -> Weighed:
    """Return what a bundle on disk costs, measured in a process of its own on one thread.

    Args:
        folder: A written bundle.
        n: How many people are asked about, each once.
        n_texts: How many sentences are asked, and as many read alone.

    Raises:
        InklingError: The process failed.
    """
    environment = {key: value for key, value in os.environ.items() if key != "INKLING_CACHE"}
    environment |= dict.fromkeys(_THREADS, "1")
    words = [sys.executable, "-m", "inkling.engine.weighing", str(folder), str(n), str(n_texts)]
    done = subprocess.run(words, capture_output=True, env=environment, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise InklingError(f"{folder} could not be asked: {told[-1] if told else 'it died without a word'}.")
    return msgspec.json.decode(done.stdout, type=Weighed)


def weigh_here(folder: Path, *, n: int, n_texts: int) -> Weighed:
    """Return what a bundle costs, measured in this process."""
    from inkling.engine.engine import open_engine

    with open_engine("memory://", folder) as engine:
        engine.warm()
        people, sentences = people_of(engine, n), sentences_of(engine, 2 * n_texts)
        latency = {PERSON: _timed(engine.recommend, people)} if people else {}
        if sentences:
            half = len(sentences) // 2
            latency[TEXT] = _timed(lambda one: engine.recommend(text=one), sentences[:half])
            latency[VECTOR] = _timed(lambda one: engine.pipeline.encode([one]), sentences[half:])
        return Weighed(latency, resident_bytes(), _items_per_s(engine))


def people_of(engine: Any, n: int) -> list[str]:
    """Return people with events, in no order."""
    base = engine.bundle.base
    rows = np.unique(base.interactions.user_rows)
    chosen = np.random.default_rng(0).permutation(rows)[:n]
    return [base.user_ids.id_of(int(row)) for row in chosen]


def sentences_of(engine: Any, n: int) -> list[str]:
    """Return distinct sentences of a question's length out of the catalogue, none of which was read yet."""
    texts = [text for text in engine.bundle.base.items.texts() if text]
    chosen = np.random.default_rng(0).permutation(len(texts))[:n].tolist()
    return list(dict.fromkeys("something like " + " ".join(texts[row].split()[:_WORDS]) for row in chosen))


def _items_per_s(engine: Any, n: int = 256) -> float:
    texts = [text for text in engine.bundle.base.items.texts() if text]
    read = getattr(engine.pipeline, "read", None)
    if not texts or read is None:
        return 0.0
    chosen = np.random.default_rng(1).permutation(len(texts))[:n].tolist()
    fresh = list(dict.fromkeys(f"{texts[row]} {row}" for row in chosen))  # none that was read before
    begin = time.perf_counter()
    read(fresh)
    return len(fresh) / max(time.perf_counter() - begin, 1e-9)


def _timed(ask: Callable[[str], Any], questions: Sequence[str]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of each question asked once, after the first few were asked to warm up."""
    n_warm = min(_WARM, len(questions) // 2)
    for question in questions[:n_warm]:
        ask(question)
    spent = np.empty(len(questions) - n_warm)
    for at, question in enumerate(questions[n_warm:]):
        begin = time.perf_counter()
        ask(question)
        spent[at] = time.perf_counter() - begin
    p50, p99 = np.percentile(1000 * spent, [50, 99])
    return float(p50), float(p99)


def resident_bytes() -> int:
    """Return what this process holds in memory."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else peak * 1024)


if __name__ == "__main__":
    found = weigh_here(Path(sys.argv[1]), n=int(sys.argv[2]), n_texts=int(sys.argv[3]))
    sys.stdout.buffer.write(msgspec.json.encode(found))
