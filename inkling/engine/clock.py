"""What "now" is: the wall's clock, or the data's own where a log ended long ago."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from inkling.core.scenario import Time

ClockName = Literal["auto", "wall", "data"]
_STALE_MS = 7 * 86_400_000


class LiveClock:
    """Tells the moment of asking.

    A model of a log that ended in 2011 must not be asked about today: all recency would be gone. So ``auto`` takes the
    wall's clock while the newest event is at most a week old, else the data's: the newest event's time plus what has
    passed since the engine was opened. Where data has an order only, now is the position after the newest event.
    """

    def __init__(self, kind: ClockName, data_time: Time, *, wall: Callable[[], float] = time.time) -> None:
        """Use ``wall`` (seconds since the epoch) for the wall's clock."""
        self.kind = kind
        self._data_time = data_time
        self._wall = wall
        self._opened = wall()

    def now_ms(self, newest_ts: int) -> int:
        """Return now, never before ``newest_ts``, the time of the newest event."""
        if self._data_time != "real":
            return newest_ts + 1 if self._data_time == "order" else newest_ts
        if self.follows_data(newest_ts):
            return newest_ts + int((self._wall() - self._opened) * 1000)
        return max(int(self._wall() * 1000), newest_ts)

    def follows_data(self, newest_ts: int) -> bool:
        """Return whether now is the data's own time."""
        stale = 0 < newest_ts < self._wall() * 1000 - _STALE_MS
        return self._data_time == "real" and (self.kind == "data" or (self.kind == "auto" and stale))
