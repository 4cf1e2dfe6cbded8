"""From bytes to checked values: bodies, query strings and path parts, each refusal naming the place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.types import Receive, Scope

from inkling.core.errors import nearest
from inkling.server.errors import HttpError, bad_request

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$(.*)`)?$", re.DOTALL)
_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[[^\]]*\]")


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body.

    Raises:
        HttpError: 413 when it is longer than ``limit`` bytes, 400 when the client hung up half-way.
    """
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise bad_request("The body ended early.", hint="Send as many bytes as Content-Length says.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> HttpError:
    message = f"The body is longer than {limit} bytes."
    return HttpError(413, "too_large", message, hint="Send it in smaller batches.", headers={"Connection": "close"})


def decode_body(raw: bytes, kind: Any) -> Any:
    """Return a JSON body as a checked ``kind``.

    Raises:
        HttpError: 400, with the path of what does not fit, or the nearest spelling of an unknown field.
    """
    if not raw.strip():
        raise bad_request("The body is empty.", hint=f"Send JSON with: {', '.join(_field_names(kind)) or 'an object'}.")
    try:
        return _decoder(kind).decode(raw)
    except msgspec.ValidationError as error:
        raise _refused(error, kind, "The body") from error
    except RecursionError as error:
        raise HttpError(400, "bad_json", "The body is nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = str(error).rstrip(".")
        raise HttpError(400, "bad_json", f"The body is no valid JSON: {text}.", hint="Send UTF-8 JSON.") from error


def decode_query(raw: bytes, kind: Any) -> Any:
    """Return a query string as a checked ``kind`` (a struct; a list field takes a repeated parameter).

    Raises:
        HttpError: 400, as for bodies.
    """
    if not raw:
        return _defaults(kind)
    lists = {field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
    values: dict[str, Any] = {}
    try:
        for name, value in parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict"):
            if name in lists:
                values.setdefault(name, []).append(value)
            else:
                values[name] = value
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(error, kind, "The query string") from error
    except ValueError as error:
        raise bad_request("The query string is not percent-encoded UTF-8.") from error


@cache
def _defaults(kind: Any) -> Any:
    """Return the query of a call without one: the same frozen value each time, as every parameter has a default."""
    return kind()


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode_path(parts: Mapping[str, str]) -> dict[str, str]:
    """Return path parts with their percent-encoding undone, so that an id may hold a slash.

    Raises:
        HttpError: 400 when a part is no UTF-8.
    """
    try:
        return {name: unquote(value, errors="strict") for name, value in parts.items()}
    except UnicodeDecodeError as error:
        raise bad_request("The path is not percent-encoded UTF-8.") from error


def _refused(error: msgspec.ValidationError, kind: Any, what: str) -> HttpError:
    unknown = _UNKNOWN.match(str(error))
    if unknown:
        name, path = unknown[1], unknown[2] or ""
        place = _shown(f"{path}.{name}")
        return bad_request(f"{what} has an unknown field '{place}'.", hint=nearest(name, _names_at(kind, path)))
    seen = _AT.match(str(error))
    text, path = (seen[1], seen[2] or "") if seen else (str(error), "")
    place = f"'{_shown(path)}'" if path else what
    return bad_request(f"{place}: {text.replace('`', '').rstrip('.')}.", hint="See /docs for the documented form.")


def _shown(path: str) -> str:
    return path.removeprefix(".").replace("[...]", "[]") or "value"


def _names_at(kind: Any, path: str) -> list[str]:
    """Return the field names of the struct that ``path`` leads to inside ``kind``."""
    place = msgspec.inspect.type_info(kind)
    for step in _STEP.finditer(path):
        place = _inside(place, step[1])
    place = _inside(place, None) if isinstance(place, msgspec.inspect.UnionType) else place
    return [field.encode_name for field in getattr(place, "fields", ())]


def _inside(place: Any, name: str | None) -> Any:
    if isinstance(place, msgspec.inspect.UnionType):
        inner = (part for part in place.types if hasattr(part, "fields") or hasattr(part, "item_type"))
        place = next(inner, place)
    if name is not None:
        return next((field.type for field in getattr(place, "fields", ()) if field.encode_name == name), place)
    return getattr(place, "item_type", getattr(place, "value_type", place))


def _field_names(kind: Any) -> list[str]:
    return _names_at(kind, "")


def _is_list(kind: Any) -> bool:
    return str(getattr(kind, "__origin__", kind)).startswith("<class 'list'") or kind is list
