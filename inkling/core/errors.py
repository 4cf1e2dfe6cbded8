"""The errors of Inkling: one root, a few children. A message says what was seen, what was expected, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InklingError(Exception):
    """Root of every error that Inkling raises on purpose.

    Attributes:
        code: A stable, machine-readable name, used by the HTTP server's error shape.
        hint: What to do next, or an empty string when the message says it.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class DataError(InklingError):
    """Input data cannot be read: a missing column, an empty file, a wrong delimiter, mixed units."""

    code = "bad_data"


class ConfigError(InklingError):
    """A setting is unknown or has a value that is not allowed."""

    code = "bad_config"


class RequestError(InklingError):
    """A call's arguments are not of the documented form."""

    code = "bad_request"


class NotFoundError(InklingError):
    """A named thing (an item, a user, a bundle) does not exist."""

    code = "not_found"


class VersionError(InklingError):
    """A version was asked for that was never issued."""

    code = "unknown_version"


class BundleError(InklingError):
    """A bundle is missing, truncated, altered or of an unknown format."""

    code = "bad_bundle"


class StoreError(InklingError):
    """A store cannot be opened, read or written."""

    code = "store"


class LeakError(InklingError):
    """An artefact saw an event after the cut that it is to be measured at."""

    code = "leak"


class ProtocolError(InklingError):
    """A measurement was asked for that the data cannot carry, such as a time split without times."""

    code = "protocol"


class CursorError(RequestError):
    """A cursor is altered, too old, or belongs to another question."""

    code = "bad_cursor"


class AccessError(InklingError):
    """A server wants a key that was not given, or another one."""

    code = "unauthorized"


class UnavailableError(InklingError):
    """A server cannot be reached, breaks off, or does not answer in time."""

    code = "unavailable"


class OverloadError(UnavailableError):
    """Not even the cheapest answer fits into the time that is left."""

    code = "overloaded"


class MissingExtraError(InklingError):
    """An optional dependency is not installed."""

    code = "missing_extra"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return a sentence that names the allowed spellings, the nearest one first.

    Args:
        name: What was written.
        allowed: What may be written.
    """
    options = sorted(allowed)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    lead = f"Did you mean '{close[0]}'? " if close else ""
    return f"{lead}Allowed: {', '.join(options)}."
