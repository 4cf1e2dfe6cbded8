"""The console's static files, as they lie in the package."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from starlette.responses import RedirectResponse, Response

from inkling.server.endpoint import Call, Endpoint
from inkling.server.errors import HttpError

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


@cache
def _pages() -> dict[str, tuple[bytes, str]]:
    """Return file name -> (content, entity tag); nothing outside this table is ever served."""
    folder = files("inkling").joinpath("console")
    contents = {page.name: page.read_bytes() for page in folder.iterdir() if page.name.rpartition(".")[2] in _TYPES}
    return {name: (content, f'"{hashlib.sha256(content).hexdigest()[:16]}"') for name, content in contents.items()}


def _page(call: Call) -> Response:
    name = call.ids.get("file", "index.html")
    if name not in _pages():
        raise HttpError(404, "no_route", f"The console has no file '{name}'.")
    content, tag = _pages()[name]
    headers = {**_HEADERS, "ETag": tag}
    if call.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])


def _to_console(_: Call) -> RedirectResponse:
    # Relative, so that the console also works under a reverse proxy's prefix.
    return RedirectResponse("console/", status_code=307)


ENDPOINTS = (
    Endpoint("GET", "/", _to_console, "Leads to the console.", public=True, query=None),
    Endpoint("GET", "/console", _to_console, "Leads to the console.", public=True, query=None),
    Endpoint("GET", "/console/", _page, "The console.", public=True, query=None),
    Endpoint("GET", "/console/{file}", _page, "A file of the console.", public=True, query=None),
)
