"""A contender as a process of its own: started on one core, asked over a pipe, ended with the block."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.peers._venv import OUT as ENVIRONMENTS
from bench.peers._venv import python_of
from bench.peers._wire import receive, send

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PEERS = ("tuned", "assembled")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


class ContenderError(RuntimeError):
    """A contender failed; the message says what it said."""


def peer_python(name: str, given: Mapping[str, str], *, out: Path = ENVIRONMENTS) -> Path:
    """Return the interpreter of a peer: the given one, else that of its environment, built where it is missing."""
    if name in given:
        return Path(given[name])
    return python_of(name, out=out, pins=HERE / f"peer_{name}" / "pins.txt")


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a process that measures: one thread in every library, and the repository's modules."""
    single = dict.fromkeys(ONE_THREAD, "1")
    quiet = {"TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **single, **quiet, **more}


def spare_core(number: int) -> int:
    """Return the core of the given number among those that this process may use; -1 where the system cannot say."""
    if not hasattr(os, "sched_getaffinity"):
        return -1
    cores = sorted(os.sched_getaffinity(0))
    return cores[number % len(cores)]


@dataclass
class Told:
    """Answers, with what each took: nanoseconds by the wall's clock and of the process."""

    ids: list[list[str]]
    wall_ns: Any
    cpu_ns: Any
    mb: float


class Contender:
    """One process that answers over a pipe; use it in a ``with`` statement."""

    def __init__(self, name: str, command: Sequence[str | Path]) -> None:
        """Start it. ``about`` holds what it says of itself once it is ready."""
        self.name = name
        self.about: dict[str, Any] = {}
        self._heard = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the contender; a pipe would fill up
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._heard, cwd=ROOT, env=environment(),
        )  # fmt: skip

    def open(self) -> Self:
        """Wait until it has read its world.

        Raises:
            ContenderError: It cannot.
        """
        self.about = self._said({"do": "open"})[0]
        return self

    def ask(self, kind: str, asked: Sequence[str], k: int) -> Told:
        """Return its answers to questions of one kind, ``people`` or ``texts``, asked one by one.

        Raises:
            ContenderError: It failed.
        """
        said, arrays = self._said({"do": kind, "asked": list(asked), "k": k})
        return Told(said["told"], arrays["wall"], arrays["cpu"], said["mb"])

    def _said(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            send(self._process.stdin, message, {})
            answer = receive(self._process.stdout)
        except BrokenPipeError:
            answer = None
        if answer is None:
            raise ContenderError(f"{self.name} ended: {self._last_words()}")
        if "error" in answer[0]:
            raise ContenderError(f"{self.name} failed: {answer[0]['error']}\n{answer[0].get('trace', '')}")
        return answer

    def _last_words(self) -> str:
        self._process.wait()
        self._heard.seek(0)
        return self._heard.read().decode(errors="replace").strip()[-800:] or "it said nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._heard):
            if stream is not None:
                with suppress(BrokenPipeError):  # it may be gone already
                    stream.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
