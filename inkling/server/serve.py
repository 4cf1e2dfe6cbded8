"""Listening: an application on an address, until a signal says stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, cast

import uvicorn

from inkling.core.errors import ConfigError
from inkling.server.app import create_app
from inkling.server.keys import require_keys

if TYPE_CHECKING:
    from inkling.engine.base import Engine


def _quiet(_: str) -> None:
    """Tell nobody."""


def serve(
    engine: Engine,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    workers: int = 1,
    keys: Iterable[str] = (),
    ready: Callable[[str], None] = _quiet,
) -> None:
    """Serve ``engine`` until interrupted; requests in flight are finished first.

    Args:
        engine: What recommends. The caller opens it and closes it afterwards.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        workers: Number of processes; one engine lives in one process.
        keys: Bearer tokens; needed on any address that others can reach.
        ready: Called once with the server's URL when it answers.

    Raises:
        ConfigError: The address is taken or not to be had, keys are missing, or ``workers`` is not 1.
    """
    if workers != 1:
        raise ConfigError(
            f"workers is {workers}; an open engine lives in one process, so 1 was expected.",
            hint="Start further servers on ports of their own behind a load balancer.",
        )
    keys = tuple(keys)
    require_keys(host, keys)
    with contextlib.closing(_listen(host, port)) as listener:
        url = _url(host, listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(engine, keys=keys),
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            http=protocol(),
            timeout_graceful_shutdown=10,
        )
        with _interruptible():
            _Server(config, lambda: ready(url)).run(sockets=[listener])


def protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's fast reader of HTTP, which also notes when a request arrived: its wait counts, too."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Stamping(HttpToolsProtocol):
        def on_message_begin(self) -> None:
            super().on_message_begin()
            cast("dict[str, Any]", self.scope)["inkling.arrived"] = time.perf_counter()

        def shutdown(self) -> None:
            """Let a stream end by itself: nobody waits for one that would never end."""
            end = getattr(self, "scope", {}).get("inkling.end")
            if end is not None:
                end()
            super().shutdown()

    return Stamping


class _Server(uvicorn.Server):
    """Uvicorn that tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, *args: Any, **named: Any) -> None:
        """Start, then tell."""
        await super().startup(*args, **named)
        if self.started:
            self._ready()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Return to the caller after SIGINT or SIGTERM, so that it can close its engine."""
    on_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _interrupt) if on_main else None
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        if on_main:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"port is {port}; it must be from 0 to 65535.", hint="0 takes a free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be listened on ({error})"
        hint = "Stop that program, or choose another port (0 takes a free one)." if taken else "Choose another address."
        raise ConfigError(f"Port {port} of {host} {reason}.", hint=hint) from error


def _url(host: str, port: int) -> str:
    shown = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{shown}:{port}"
