"""What goes wrong on the way to a server, as the errors that an engine on this machine raises."""

from __future__ import annotations

import msgspec

from inkling.core import errors


class _Body(msgspec.Struct):
    code: str
    message: str
    hint: str = ""
    request_id: str = ""


class _Answer(msgspec.Struct):
    error: _Body


def _family(kind: type[errors.InklingError]) -> dict[str, type[errors.InklingError]]:
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            found |= _family(child)
    return found


KINDS: dict[str, type[errors.InklingError]] = {
    **_family(errors.InklingError),
    "bad_json": errors.RequestError,
    "too_large": errors.RequestError,
    "no_route": errors.NotFoundError,
    "no_method": errors.NotFoundError,
    "not_ready": errors.UnavailableError,
    "cross_origin": errors.AccessError,
}
"""Code of the wire -> error; a code that is not here is a plain ``InklingError`` with that code."""


def error_of(status: int, raw: bytes, *, url: str) -> errors.InklingError:
    """Return the error that an answer tells of."""
    try:
        told = msgspec.json.decode(raw, type=_Answer).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _foreign(status, url)
    made = KINDS.get(told.code, errors.InklingError)(told.message, hint=told.hint)
    made.code = told.code
    if told.request_id:
        made.add_note(f"{url} answered {status}; request id {told.request_id}.")
    return made


def _foreign(status: int, url: str) -> errors.InklingError:
    """Return the error for an answer that no Inkling server gave."""
    kind = errors.UnavailableError if status >= 500 else errors.InklingError
    return kind(
        f"{url} answered {status}, and not in the form of an Inkling server.",
        hint="Look at the address, and at what stands between here and there.",
    )


def unreadable(url: str, error: Exception) -> errors.InklingError:
    """Return the error for a good answer that does not have the form of one."""
    return errors.InklingError(
        f"{url} gave an answer of another form: {error}.", hint="Server and client should be of the same version."
    )


def away(url: str, error: Exception, *, tries: int) -> errors.UnavailableError:
    """Return the error for a server that cannot be reached or breaks off."""
    seen = f"{type(error).__name__}: {error}".rstrip(": ")
    often = f" in {tries} tries" if tries > 1 else ""
    return errors.UnavailableError(
        f"The server at {url} does not answer{often} ({seen}).",
        hint="Is it running, and is the address right? `inkling serve BUNDLE` starts one.",
    )


def ended(url: str) -> errors.UnavailableError:
    """Return the error for a stream that its server ended."""
    return errors.UnavailableError(f"The server at {url} ended the stream.", hint="Connect again.")
