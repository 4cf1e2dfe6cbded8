"""``inkling serve`` as a process of its own, on a free port, for as long as a block of code lasts."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_INKLING = "import sys; from inkling.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    port: int
    pid: int


@contextmanager
def served(bundle: Path, *options: str) -> Iterator[Served]:
    """Start a server and stop it afterwards.

    Raises:
        RuntimeError: It did not come up.
    """
    command: Sequence[str] = [sys.executable, "-c", _INKLING, "serve", str(bundle), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                yield Served(int(found.group(1)), process.pid)
                return
        raise RuntimeError(f"The server ended before it answered: {said.strip() or 'it said nothing'}")
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
