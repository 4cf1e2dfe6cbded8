"""A peer among the models: chosen, fitted and asked by the very code that measures our own, over a pipe."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.peers._known import KNOWN, Known, Settings
from bench.peers._venv import NoPeerError, python_of
from bench.peers._wire import receive, send
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.evaluation.contenders import Baseline, Fitted
from inkling.protocol.leaks import Provenance
from inkling.protocol.measure import Latency

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 300.0
_LINES = 15


class PeerError(RuntimeError):
    """A peer failed; the message holds what it said."""


class Process:
    """A script of a peer in its own environment, asked over its standard input and output."""

    def __init__(self, python: Path, module: str, *, n_threads: int) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._child = subprocess.Popen(
            [python, "-m", module],
            cwd=ROOT,
            env=_surroundings(module, n_threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._known: bytes = b""

    def ask(self, said: Mapping[str, Any], arrays: Mapping[str, Any], *, limit_s: float = 0.0) -> tuple[Any, Any]:
        """Send a message and wait for its answer; past the limit (0 is none) the process is ended.

        Raises:
            PeerError: It says that it failed, or says nothing.
        """
        assert self._child.stdin is not None and self._child.stdout is not None  # noqa: PT018 - both are pipes
        timer = threading.Timer(limit_s, self._child.kill) if limit_s else None
        try:
            if timer is not None:
                timer.start()
            send(self._child.stdin, said, arrays)
            answer = receive(self._child.stdout)
        except BrokenPipeError:
            answer = None
        finally:
            if timer is not None:
                timer.cancel()
        if answer is None:
            raise PeerError(f"The peer's process ended (of {limit_s or 'no'} seconds' limit) and said:\n{self._tail()}")
        if "error" in answer[0]:
            raise PeerError(f"{answer[0]['error']}\n{answer[0].get('trace', '')}")
        return answer

    def recommend(self, query: Query, k: int) -> tuple[Candidates, dict[str, Any]]:
        """Ask a question; return the answer and what the peer told of it."""
        history, barred = query.history, query.exclude
        allowed = np.ones(query.n_items, dtype=np.bool_) if query.allowed is None else query.allowed
        arrays = {
            "offsets": history.offsets,
            "items": history.item_rows,
            "ts": history.ts,
            "weights": history.weights,
            "users": query.user_rows,
            "barred_offsets": np.zeros(len(query) + 1, dtype=np.int64) if barred is None else barred.offsets,
            "barred": np.empty(0, dtype=np.int32) if barred is None else barred.values,
        }
        if allowed.tobytes() != self._known:
            self._known = allowed.tobytes()
            arrays["allowed"] = allowed
        told, found = self.ask({"do": "ask", "k": k, "drop": barred is not None}, arrays)
        return _candidates(found["items"], found["scores"]), told

    def close(self) -> None:
        """End the process."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._child.terminate()
        self._child.wait()
        self._said.close()

    def _tail(self) -> str:
        self._child.wait()
        self._said.seek(0)
        return "\n".join(self._said.read().decode(errors="replace").splitlines()[-_LINES:])


@dataclass
class PeerContender:
    """A model of another library; see :class:`inkling.evaluation.contenders.Contender`.

    Attributes:
        name: In the tables.
        known: What it is.
        grid: Settings to choose from.
        limit_s: Seconds of a training by epochs; other fits are ended at three times as much. 0 is no limit.
        n_threads: Cores to train on; answers are given on one.
        interpreter: Returns the interpreter of an environment.
        told: What the fit told that counts last.
    """

    name: str
    known: Known
    grid: tuple[Settings, ...]
    limit_s: float = 900.0
    n_threads: int = 1
    interpreter: Callable[[str], Path] = python_of
    fixed: Settings = field(default_factory=dict)
    provenance: tuple[Provenance, ...] = ()
    told: dict[str, Any] = field(default_factory=dict)
    _process: Process | None = None
    _single_ms: list[float] = field(default_factory=list)
    _fits_s: list[float] = field(default_factory=list)

    # Settings are chosen by the very code that chooses those of our own models.
    choose = Baseline.choose

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Fit in a process of its own; the one before is ended.

        Raises:
            NoPeerError: Its environment cannot be built.
            PeerError: The library failed, or took far longer than its limit.
        """
        self.close()
        python = self.interpreter(self.known.environment)
        self._process = Process(python, self.module, n_threads=self.n_threads)
        events = data.interactions.positives()
        said = {
            "do": "fit",
            "model": self.known.model,
            "settings": dict(settings),
            "seed": run.seed,
            "n_users": data.n_users,
            "n_items": data.n_items,
            "n_threads": self.n_threads,
            "limit_s": self.limit_s,
        }
        arrays = {"users": events.user_rows, "items": events.item_rows, "ts": events.ts, "weights": events.weights}
        patience = 3 * self.limit_s + _PATIENCE_S if self.limit_s else 0.0
        self.told, _ = self._process.ask(said, arrays, limit_s=patience)
        self._single_ms = []
        self._fits_s.append(float(self.told["fit_s"]))
        return Fitted(self._recommend)

    def _recommend(self, query: Query, k: int) -> Candidates:
        if self._process is None:
            raise PeerError(f"{self.name} was closed.")
        answer, told = self._process.recommend(query, k)
        self.told["peak_mb"] = max(self.told["peak_mb"], told["peak_mb"])
        if len(query) == 1:
            self._single_ms.append(told["s"] * 1000)
        return answer

    @property
    def module(self) -> str:
        """Return the script that runs in the environment."""
        name = self.known.environment
        return name if "." in name else f"bench.peers.{name}"

    @property
    def latency(self) -> Latency:
        """Return how long single answers took inside the peer, without the pipe; the first warmed up."""
        timed = self._single_ms[1:] or [float("nan")]
        p50, p99 = np.percentile(timed, [50, 99])
        return Latency(float(p50), float(p99), len(timed))

    def fit_s(self, n: int) -> float:
        """Return the seconds of the last ``n`` fits inside the peer, without the start of its process."""
        return sum(self._fits_s[-n:])

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.close()
            self._process = None


def peer(name: str, *, limit_s: float = 900.0, n_threads: int = 1, quick: bool = False) -> PeerContender:
    """Return a peer by name; a quick one takes the first of its settings, for an epoch or two.

    Raises:
        NoPeerError: There is no such peer.
    """
    if name not in KNOWN:
        raise NoPeerError(f"There is no peer '{name}', only {', '.join(KNOWN)}.")
    known = KNOWN[name]
    first = {**known.grid[0], **({"epochs": 2} if known.by_epochs else {})}
    return PeerContender(name, known, (first,) if quick else known.grid, limit_s=limit_s, n_threads=n_threads)


def _candidates(items: Any, scores: Any) -> Candidates:
    """Return padded answers (B, k) as candidates."""
    there = items >= 0
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    return Candidates.of(offsets, items[there].astype(np.int32), scores[there].astype(np.float32), source="peer")


def _surroundings(module: str, n_threads: int) -> dict[str, str]:
    """Return the environment of a peer's process: its libraries take their number of threads from it."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(n_threads))
    if module.endswith(".implicit"):  # its own threads call the linear algebra, which then must not start any
        threads["OPENBLAS_NUM_THREADS"] = "1"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    return {**kept, **threads, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
