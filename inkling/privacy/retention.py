"""How long events are kept."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import I64, Bool

DAY_MS = 86_400_000


def oldest_kept(now_ms: int, days: float) -> int:
    """Return the time (epoch milliseconds) of the oldest event that may be kept; the smallest integer for 0 days."""
    return now_ms - int(days * DAY_MS) if days > 0 else int(np.iinfo(np.int64).min)


def kept(ts: I64, *, now_ms: int, days: float) -> Bool:
    """Return which events (N,) may be kept at ``now_ms``; all of them where ``days`` is 0."""
    return np.asarray(ts >= oldest_kept(now_ms, days), dtype=np.bool_)
