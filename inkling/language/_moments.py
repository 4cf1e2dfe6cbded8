"""Words for times, days and values, in the languages that templates speak."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_STEPS = ((60_000, "minute"), (3_600_000, "hour"), (86_400_000, "day"), (604_800_000, "week"),
          (2_629_800_000, "month"), (31_557_600_000, "year"))  # fmt: skip
_ZH = {"minute": "分钟", "hour": "小时", "day": "天", "week": "周", "month": "个月", "year": "年"}
_DAYPARTS = {
    "en": ("at night", "in the morning", "in the afternoon", "in the evening"),
    "zh": ("夜里", "上午", "下午", "晚上"),
}
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
_JUST_NOW = {"en": "just now", "zh": "刚刚"}
_MAX_STARS = 5


def ago(now: int | None, then: int | None, language: str, *, suffix: bool) -> str | None:
    """Return how long it is from ``then`` to ``now`` (epoch milliseconds) in the largest unit that fits.

    ``suffix`` says that it is past ("3 days ago") instead of how long it took ("3 days").
    """
    if now is None or then is None:
        return None
    passed = max(now - then, 0)
    fits = [(length, unit) for length, unit in _STEPS if passed >= length]
    if not fits:
        return _JUST_NOW[language] if suffix else None
    length, unit = fits[-1]
    n = passed // length
    if language == "zh":
        return f"{n}{_ZH[unit]}" + ("前" if suffix else "")
    return f"{n} {unit}{'s' if n > 1 else ''}" + (" ago" if suffix else "")


def daypart(ts: int | None, language: str) -> str | None:
    """Return the part of the day of a moment (UTC)."""
    when = _moment(ts)
    return None if when is None else _DAYPARTS[language][when.hour // 6]


def weekday(ts: int | None, language: str) -> str | None:
    """Return the day of the week of a moment (UTC)."""
    when = _moment(ts)
    return None if when is None else _WEEKDAYS[language][when.weekday()]


def _moment(ts: int | None) -> datetime | None:
    try:
        return None if ts is None else datetime.fromtimestamp(ts / 1000, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def number(value: float) -> str | None:
    """Return a value as it is read, or None where there is none."""
    return None if not math.isfinite(value) else f"{value:g}"


def stars(value: float) -> str | None:
    """Return a value from 1 to 5 as stars, to the nearest whole one; None for any other."""
    if not math.isfinite(value) or not 1 <= value <= _MAX_STARS:
        return None
    n = math.floor(value + 0.5)
    return "★" * n + "☆" * (_MAX_STARS - n)
