"""The description of the API, for programs and for people."""

from __future__ import annotations

from starlette.responses import HTMLResponse, Response

from inkling.server.endpoint import Call, Endpoint, json_response
from inkling.server.manual import render_manual

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _document(call: Call) -> Response:
    return json_response(call.around.document)


def _manual(call: Call) -> HTMLResponse:
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(render_manual(call.around.document), headers=headers)


ENDPOINTS = (
    Endpoint("GET", "/openapi.json", _document, "This description.", public=True, query=None),
    Endpoint("GET", "/docs", _manual, "This description as a page.", public=True, query=None),
)
