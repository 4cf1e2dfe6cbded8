"""Rows as they come in, checked one by one: a bad row gets its reason, the others go on."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from inkling.core.errors import RequestError, nearest
from inkling.engine.base import Rejected

EVENT_FIELDS = frozenset(
    {
        "user_id",
        "session_id",
        "item_id",
        "event",
        "timestamp",
        "value",
        "text",
        "event_id",
        "context",
        "recommendation_id",
    }
)
WITHOUT_ITEM = frozenset({"opt_out", "opt_in", "query", "chat"})
_encode = msgspec.msgpack.Encoder().encode
_LARGEST = 3.4e38  # values are kept as float32
_SECONDS_BELOW = 1e11  # epoch seconds stay below this until the year 5138, epoch milliseconds are above it since 1973


def check_events(events: Sequence[Mapping[str, Any]], *, now_ms: int) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Return the normalised good rows, and the position and reason of each bad one.

    A good row has ``user_id`` or ``session_id``, ``item_id`` (except for events about no item), ``event``,
    ``timestamp`` in epoch milliseconds and an ``event_id``.
    """
    good: list[dict[str, Any]] = []
    bad: list[Rejected] = []
    for index, row in enumerate(events):
        try:
            good.append(_event(row, now_ms))
        except RequestError as error:
            bad.append(Rejected(index, str(error)))
    return good, bad


def _event(row: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise RequestError(f"an event is an object, this is {type(row).__name__}.")
    for key in row:
        if key not in EVENT_FIELDS and not str(key).startswith("context."):
            raise RequestError(f"unknown field '{key}'.", hint=nearest(str(key), EVENT_FIELDS))
    out: dict[str, Any] = {"event": _word(row, "event") or "interaction"}
    for key in ("user_id", "session_id", "item_id", "text", "recommendation_id"):
        if word := _word(row, key):
            out[key] = word
    if "user_id" not in out and "session_id" not in out:
        raise RequestError("neither user_id nor session_id is given.", hint="Say who acted.")
    if "item_id" not in out and out["event"] not in WITHOUT_ITEM:
        raise RequestError(f"item_id is missing; only {', '.join(sorted(WITHOUT_ITEM))} may come without one.")
    out["timestamp"] = parse_time(row.get("timestamp"), now_ms)
    out["event_id"] = _word(row, "event_id") or uuid.uuid4().hex
    value = _number(row.get("value"))
    if value is not None:
        out["value"] = value
    context = _context(row)
    if context:
        out["context"] = context
    _check_plain(out)
    return out


def _check_plain(row: Mapping[str, Any]) -> None:
    """Refuse what no log can hold, such as a number beyond 64 bits or half a character: the row is at fault."""
    try:
        _encode(row)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RequestError(
            f"it cannot be stored: {error}.", hint="Rows hold text, numbers, lists and objects."
        ) from error


def _word(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise RequestError(f"{key} must be text, this is {type(value).__name__}.")
    return str(value)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise RequestError(f"value must be a finite number, this is {str(value)[:40]!r}.")
    return float(value)


def _context(row: Mapping[str, Any]) -> dict[str, str]:
    context = row.get("context") or {}
    if not isinstance(context, Mapping):
        raise RequestError(f"context must be an object of names and values, this is {type(context).__name__}.")
    dotted = {key.removeprefix("context."): value for key, value in row.items() if str(key).startswith("context.")}
    return {str(name): str(value) for name, value in {**context, **dotted}.items() if value is not None}


def parse_time(value: Any, now_ms: int) -> int:
    """Return epoch milliseconds of epoch seconds, epoch milliseconds or ISO 8601 (UTC where no zone is given).

    Args:
        value: The time, or None for now.
        now_ms: What now is.

    Raises:
        RequestError: It is none of these.
    """
    if value is None:
        return now_ms
    if isinstance(value, str) and not value.lstrip("-").replace(".", "", 1).isdigit():
        return _iso_ms(value)
    try:
        number = math.inf if isinstance(value, int) and abs(value) > 1e14 else float(value)
    except (TypeError, ValueError):
        raise RequestError(f"timestamp {value!r} is neither epoch seconds, milliseconds nor ISO 8601.") from None
    if not math.isfinite(number) or isinstance(value, bool) or abs(number) > 1e14:
        raise RequestError(
            f"timestamp {str(value)[:40]} is out of range.", hint="Send epoch seconds, milliseconds or ISO 8601."
        )
    return round(number * 1000) if abs(number) < _SECONDS_BELOW else int(number)


def _iso_ms(value: str) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise RequestError(f"timestamp '{value}' is not ISO 8601.", hint="For example 2026-01-31T12:00:00Z.") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def check_rows(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[dict[str, Any], ...]:
    """Return item or user rows with ``key`` as text.

    Raises:
        RequestError: A row is no object, lacks ``key``, or holds what cannot be stored.
    """
    out = []
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise RequestError(f"row {index} must be an object, this is {type(row).__name__}.")
        if isinstance(row.get(key), bool) or not isinstance(row.get(key), (str, int)) or not str(row[key]):
            raise RequestError(f"row {index} has no {key}.", hint=f"Give each row a {key}: text that is not empty.")
        out.append({**row, key: str(row[key])})
        try:
            _check_plain(out[-1])
        except RequestError as error:
            raise RequestError(f"row {index}: {error.message}", hint=error.hint) from error
    return tuple(out)
