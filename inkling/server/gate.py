"""What happens to every request, whatever its route: an id, one error shape, the count, the clock."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkling.server.errors import HttpError, error_response

if TYPE_CHECKING:
    from inkling.server.keys import Keys
    from inkling.server.metrics import Metrics

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_BOOT, _COUNT = secrets.token_hex(4), itertools.count(1)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Gate:
    """The outermost layer. It sees each request first and each answer last."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, keys: Keys) -> None:
        self._app = app
        self._metrics = metrics
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; turn whatever it raises into an answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        # Routes see the undecoded path and decode each part once, so that an id may hold a slash.
        scope["path"] = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        scope["inkling.request_id"] = request_id = _request_id(scope)
        answer = _Answer(send, request_id)
        try:
            if not self._keys:
                _refuse_other_sites(scope)
            await self._app(scope, receive, answer.send)
        except Exception as error:
            if answer.status:  # half of an answer is out: the connection must break, so that the client sees it
                raise
            await error_response(error, request_id)(scope, receive, answer.send)
        finally:
            self._count(scope, answer.status, time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = scope.get("inkling.route", "none")
        self._metrics.requests.add(method, route, str(status))
        if "inkling.streaming" not in scope:
            self._metrics.durations.observe(seconds, route)


class _Answer:
    """Adds the request id to an answer's headers and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._header = (b"x-request-id", request_id.encode("ascii"))
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else f"{_BOOT}{next(_COUNT):08x}"


def _refuse_other_sites(scope: Scope) -> None:
    """An open server on this machine is within reach of every page in its browser: only its own pages may write.

    Raises:
        HttpError: 403 when a browser sends a write from a page of another site.
    """
    if scope["method"] in ("GET", "HEAD"):
        return
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is not None and urlsplit(origin).netloc != headers.get(b"host", b""):
        raise HttpError(
            403,
            "cross_origin",
            "A page of another site may not write here.",
            hint="Configure keys, or call from the server's own address.",
        )
