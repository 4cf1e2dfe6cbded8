"""The tuned peer, asked over a pipe: ``python -m bench.latency.peer_tuned.pipe WORLD CORE``."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.latency._piped import serve
from bench.latency._world import World

if __name__ == "__main__":

    def made() -> object:
        from bench.latency.peer_tuned.engine import Tuned

        return Tuned(World.read(Path(sys.argv[1])))

    serve(made, core=int(sys.argv[2]))
