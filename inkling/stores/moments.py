"""One time as people write it, as UTC epoch milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from inkling.core.errors import RequestError

_SECONDS = 1e11
_LATEST = 1e14


def moment_ms(value: Any, *, field: str = "timestamp") -> int:
    """Return epoch seconds (below 1e11), epoch milliseconds or an ISO 8601 text as milliseconds; UTC without a zone.

    Raises:
        RequestError: It is none of these.
    """
    number = _number(value)
    if number is not None and abs(number) < _LATEST:
        return round(number * 1000) if abs(number) < _SECONDS else round(number)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            moment = None
        if moment is not None:
            return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    raise RequestError(
        f"{field} is {value!r}, which is no time.", hint="Write epoch seconds, epoch milliseconds or ISO 8601."
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
