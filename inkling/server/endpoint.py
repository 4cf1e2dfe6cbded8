"""One declaration for each call of the API; routing, checking, documentation and metrics all read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inkling.server.body import decode_body, decode_path, decode_query, read_body
from inkling.server.schemas import NoQuery

if TYPE_CHECKING:
    from inkling.engine.base import Engine
    from inkling.server.keys import Keys
    from inkling.server.live import Hub
    from inkling.server.load import Load
    from inkling.server.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every call may need: the engine, who may call, what is counted, the documentation, and open streams."""

    engine: Engine
    keys: Keys
    metrics: Metrics
    max_body_bytes: int
    document: Mapping[str, Any]
    live: Hub
    load: Load


@dataclass(frozen=True, slots=True)
class Call:
    """One checked request, as a handler sees it."""

    around: Surroundings
    ids: Mapping[str, str]
    body: Any = None
    query: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accept_language: str = ""
    arrived: float = field(default_factory=time.perf_counter)
    """When it came (``perf_counter``)."""

    @property
    def engine(self) -> Engine:
        """Return the engine that answers."""
        return self.around.engine


def never(_: Call) -> bool:
    """Run the handler on the event loop: it takes less than a millisecond and does not wait."""
    return False


def always(_: Call) -> bool:
    """Run the handler on a thread: it waits for the disk, or takes longer."""
    return True


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API.

    Attributes:
        method: The HTTP method.
        path: The path's template, such as ``/v1/items/{id}``.
        handle: What answers; plain, synchronous code. It returns a value of type ``answer``, or a ready response.
        summary: One line for the documentation.
        body: Type of the JSON body, or None where there is none.
        query: Type of the query string; None leaves it unread (pages).
        answer: Type of the JSON answer; None where it is no JSON.
        status: The status of success.
        blocking: Whether a call runs on a thread.
        described: Type of the body in the documentation, where ``body`` leaves the rows to the engine's own checks.
        public: Whether it answers without a key.
        media: What the answer is written in.
    """

    method: str
    path: str
    handle: Callable[[Call], Any]
    summary: str
    body: Any = None
    query: Any = NoQuery
    answer: Any = None
    status: int = 200
    blocking: Callable[[Call], bool] = never
    public: bool = False
    described: Any = None
    media: str = "application/json"


class Resource:
    """All methods of one path, as an ASGI application."""

    def __init__(self, endpoints: Mapping[str, Endpoint], around: Surroundings) -> None:
        self._endpoints = endpoints
        self._around = around

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, let its handler answer, and send that."""
        method = scope["method"]
        endpoint = self._endpoints["GET" if method == "HEAD" else method]
        scope["inkling.route"] = endpoint.path
        if not endpoint.public:
            self._around.keys.check(scope)
        call = await self._read(endpoint, scope, receive)
        if endpoint.blocking(call):
            answer = await run_in_threadpool(endpoint.handle, call)
        else:
            answer = endpoint.handle(call)
        response = answer if isinstance(answer, Response) else json_response(answer, endpoint.status)
        await response(scope, receive, send)

    async def _read(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Call:
        query = None if endpoint.query is None else decode_query(scope["query_string"], endpoint.query)
        ids = decode_path(scope["path_params"])
        if endpoint.body is None:
            headers = _headers(scope) if endpoint.query is None else {}
            return Call(self._around, ids, None, query, headers, _accept_language(scope), _arrived(scope))
        raw = await read_body(scope, receive, self._around.max_body_bytes)
        body = decode_body(raw, endpoint.body)
        return Call(self._around, ids, body, query, {}, _accept_language(scope), _arrived(scope))


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _arrived(scope: Scope) -> float:
    """Return when a request came: as the socket's reader noted it, else now."""
    at: float = scope.get("inkling.arrived") or time.perf_counter()
    return at


def _accept_language(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    return str(found, "latin-1")


def json_response(answer: Any, status: int = 200) -> Response:
    """Return a value as JSON; numbers of numpy become plain ones."""
    return Response(msgspec.json.encode(answer, enc_hook=_plain), status, media_type="application/json")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
