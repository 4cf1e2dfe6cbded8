"""The application: every endpoint, wired to one engine."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inkling.server.endpoint import Endpoint, Resource, Surroundings
from inkling.server.errors import HttpError, error_response
from inkling.server.gate import Gate
from inkling.server.keys import Keys
from inkling.server.live import Hub
from inkling.server.load import Load
from inkling.server.metrics import Metrics
from inkling.server.openapi import describe
from inkling.server.routes import ENDPOINTS

if TYPE_CHECKING:
    from inkling.engine.base import Engine

MAX_BODY_BYTES = 8 * 1024 * 1024


def create_app(engine: Engine, *, keys: Iterable[str] = (), max_body_bytes: int = MAX_BODY_BYTES) -> Starlette:
    """Return the ASGI application that answers for ``engine``.

    Args:
        engine: What recommends. The caller opens and closes it.
        keys: Bearer tokens of which each call under ``/v1`` needs one; none leaves the server open.
        max_body_bytes: Longer bodies are refused with 413.
    """
    metrics = Metrics()
    around = Surroundings(
        engine, Keys(keys), metrics, max_body_bytes, describe(ENDPOINTS), Hub(engine, metrics), Load()
    )
    app = Starlette(
        routes=_routes(around),
        middleware=[Middleware(Gate, metrics=around.metrics, keys=around.keys)],
        exception_handlers={404: _no_route, 405: _no_method},
    )
    app.router.redirect_slashes = False
    return app


def _routes(around: Surroundings) -> list[Route]:
    by_path: dict[str, dict[str, Endpoint]] = {}
    for path, group in groupby(ENDPOINTS, key=lambda endpoint: endpoint.path):
        by_path.setdefault(path, {}).update({endpoint.method: endpoint for endpoint in group})
    return [Route(path, Resource(methods, around), methods=list(methods)) for path, methods in by_path.items()]


async def _no_route(request: Request, _: Exception) -> Response:
    message = f"There is no {request.method} {request.scope['path']}."
    return _answer(HttpError(404, "no_route", message, hint="See /docs for all calls."), request)


async def _no_method(request: Request, error: Exception) -> Response:
    allowed = (getattr(error, "headers", None) or {}).get("Allow", "")
    methods = ", ".join(sorted(filter(None, allowed.replace(" ", "").split(","))))
    message = f"{request.method} is not allowed on {request.scope['path']}."
    return _answer(
        HttpError(405, "no_method", message, hint=f"Allowed: {methods}.", headers={"Allow": methods}), request
    )


def _answer(error: HttpError, request: Request) -> Response:
    return error_response(error, request.scope["inkling.request_id"])
