"""Whether the server lives, whether it is ready, and what it serves."""

from __future__ import annotations

from typing import Any

from inkling.server.endpoint import Call, Endpoint
from inkling.server.errors import HttpError
from inkling.server.schemas import StatusOut


def _alive(call: Call) -> StatusOut:
    return StatusOut("alive", call.engine.version)


def _ready(call: Call) -> StatusOut:
    try:
        call.engine.about()
        return StatusOut("ready", call.engine.version)
    except Exception as error:
        message = f"The engine does not answer: {type(error).__name__}."
        raise HttpError(503, "not_ready", message, headers={"Retry-After": "1"}) from error


def _about(call: Call) -> dict[str, Any]:
    return call.engine.about()


ENDPOINTS = (
    Endpoint("GET", "/healthz", _alive, "Whether the server lives.", answer=StatusOut, public=True),
    Endpoint("GET", "/readyz", _ready, "Whether the server can answer.", answer=StatusOut, public=True),
    Endpoint("GET", "/v1/about", _about, "What is being served.", answer=dict[str, Any]),
)
