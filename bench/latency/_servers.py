"""Servers under load: ours and the peers', and Redis for the peers' state, each for as long as a block lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench._served import served
from bench._tree import cpu_s, rss_mb, tree
from bench.latency._asked import ROOT, ContenderError, environment
from bench.latency._world import World

_PATIENCE_S = 900.0
_REDIS_OPTIONS = ("--bind", "127.0.0.1", "--appendonly", "yes", "--save", "", "--loglevel", "warning")


@dataclass(frozen=True)
class Under:
    """A server under load: its port, and all processes that it consists of."""

    name: str
    port: int
    pids: tuple[int, ...]

    def rss_mb(self) -> float:
        """Return the resident memory of all its processes."""
        return sum(rss_mb(pid) for root in self.pids for pid in tree(root))

    def cpu_s(self) -> float:
        """Return the processor seconds of all its processes."""
        return sum(cpu_s(pid) for root in self.pids for pid in tree(root))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process, and of those that it started, on one core, where the system can."""
    if core < 0 or not hasattr(os, "sched_setaffinity"):
        return
    for task in [task for each in tree(pid) for task in Path(f"/proc/{each}/task").glob("[0-9]*")]:
        with suppress(OSError):  # a thread may end meanwhile
            os.sched_setaffinity(int(task.name), {core})


@contextmanager
def our_server(bundle: Path, folder: Path, *, core: int) -> Iterator[Under]:
    """Serve a bundle with its log on disk, fsync before each answer to events."""
    with served(bundle, "--store", f"file://{folder.resolve()}") as one:
        pin(one.pid, core)
        yield Under("ours", one.port, (one.pid,))


@contextmanager
def redis(program: str | None, folder: Path, *, core: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Run Redis with fsync before each answer; yield its address and its process, or none of both without it."""
    program = program or shutil.which("redis-server")
    if program is None:
        yield "", ()
        return
    port = free_port()
    command = [program, "--port", str(port), "--dir", str(folder), "--appendfsync", "always", *_REDIS_OPTIONS]
    with _process(command, core=core) as process:
        _wait(lambda: _redis_answers(port), process, "Redis")
        yield f"redis://127.0.0.1:{port}/0", (process.pid,)


@contextmanager
def peer_server(
    name: str, python: Path, world: World, *, state: tuple[str, tuple[int, ...]], core: int
) -> Iterator[Under]:
    """Serve a peer by uvicorn in its own environment; ``state`` is where Redis is, if anywhere."""
    port, (url, pids) = free_port(), state
    command = [str(python), "-m", "uvicorn", f"bench.latency.peer_{name}.app:app", "--port", str(port)]
    command += ["--log-level", "warning", "--no-access-log"]
    with _process(command, core=core, WORLD=str(world.folder.resolve()), REDIS=url) as process:
        _wait(lambda: _http_answers(port), process, f"The {name} peer")
        yield Under(name, port, (process.pid, *pids))


@contextmanager
def _process(command: Sequence[str], *, core: int, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as heard:
        process = subprocess.Popen(command, stdout=heard, stderr=heard, cwd=ROOT, env=environment(**variables))
        pin(process.pid, core)
        try:
            yield process
        except ContenderError as error:
            heard.seek(0)
            said = heard.read().decode(errors="replace").strip()[-800:]
            raise ContenderError(f"{error} {said}") from error
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(ready: object, process: subprocess.Popen[bytes], name: str) -> None:
    assert callable(ready)
    until = time.monotonic() + _PATIENCE_S
    while not ready():
        if process.poll() is not None:
            raise ContenderError(f"{name} ended with status {process.returncode} before it answered.")
        if time.monotonic() > until:
            raise ContenderError(f"{name} did not answer within {_PATIENCE_S:.0f} s.")
        time.sleep(0.2)


def _http_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as one:
            one.sendall(b"PING\r\n")
            return one.recv(16).startswith(b"+PONG")
    except OSError:
        return False
