"""Shared fixtures: where the real data sets lie, one thread for each numeric library, a patient hypothesis."""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no reason for a test to fail; where CI says so, every run draws the same examples.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of the public data sets (INKLING_DATA, else ../shared/data); skip when it is absent."""
    root = Path(os.environ.get("INKLING_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"the public data sets are not here ({root.name}); set INKLING_DATA to their folder")
    return root


@contextmanager
def _serving(engine: Any, **settings: Any) -> Iterator[str]:
    """Serve an engine on a real socket, in a thread; yield its address."""
    import uvicorn

    from inkling.server import create_app
    from inkling.server.serve import protocol

    config = uvicorn.Config(create_app(engine, **settings), log_config=None, ws="none", http=protocol())
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def served() -> Iterator[Callable[..., str]]:
    """Return what serves an engine on a real socket until the test ends, and returns its address."""
    with ExitStack() as stack:
        yield lambda engine, **settings: stack.enter_context(_serving(engine, **settings))
