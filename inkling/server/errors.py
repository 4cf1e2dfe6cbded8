"""One error shape for every route and status: ``{"error": {"code", "message", "hint", "request_id"}}``."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from inkling.core import errors as core

_LOG = logging.getLogger("inkling.server")

STATUS_OF: dict[type[core.InklingError], int] = {
    core.RequestError: 400,
    core.DataError: 422,
    core.ConfigError: 422,
    core.ProtocolError: 422,
    core.NotFoundError: 404,
    core.VersionError: 409,
    core.MissingExtraError: 501,
    core.StoreError: 503,
    core.UnavailableError: 503,
    core.AccessError: 401,
}


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong, for a program (``code``) and for a person (``message``, ``hint``)."""

    code: str
    message: str
    hint: str
    request_id: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The one error shape."""

    error: ErrorBody


class HttpError(Exception):
    """An error of the wire itself, before or beside the engine."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.headers = headers


def bad_request(message: str, *, hint: str = "") -> HttpError:
    """Return a 400: the call is not of the documented form."""
    return HttpError(400, core.RequestError.code, message, hint=hint)


def error_response(error: BaseException, request_id: str) -> Response:
    """Return any exception as an answer in the one shape; what nobody raised on purpose is logged and becomes a 500."""
    known = _translate(error)
    body = ErrorAnswer(ErrorBody(known.code, known.message, known.hint, request_id))
    return Response(msgspec.json.encode(body), known.status, known.headers, "application/json")


def _translate(error: BaseException) -> HttpError:
    if isinstance(error, HttpError):
        return error
    if isinstance(error, core.InklingError):
        status = next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)
        headers = {"Retry-After": "1"} if status == 503 else {}
        return HttpError(status, error.code, error.message, hint=error.hint, headers=headers)
    if isinstance(error, HTTPException):
        return HttpError(error.status_code, "http", error.detail, headers=error.headers or {})
    _LOG.error("A request failed unexpectedly.", exc_info=error)
    return HttpError(500, "internal", "The server failed to answer.", hint="Its log has the details.")
