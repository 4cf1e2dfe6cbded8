"""People's last events: arrays in this process, or Redis; twelve bytes an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.latency._world import EVENTS, World

EVENT = np.dtype([("item", "<i4"), ("ts", "<i8")])
Past = tuple[Any, Any]
"""Item rows and times, oldest first."""


class InProcess:
    """Arrays by person; nothing survives the process."""

    def __init__(self, world: World) -> None:
        self._past: dict[str, Past] = {user_id: world.history(row) for row, user_id in enumerate(world.user_ids)}
        self._none: Past = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)

    def last(self, user_id: str) -> Past:
        """Return a person's last events."""
        return self._past.get(user_id, self._none)

    def add(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Take in (person, item row, time)."""
        for user_id, item, ts in events:
            rows, times = self.last(user_id)
            kept = np.append(rows, np.int32(item))[-EVENTS:], np.append(times, np.int64(ts))[-EVENTS:]
            self._past[user_id] = kept


class InRedis:
    """A list of packed events for each person; one round trip for a read, and one for a batch of writes.

    While one request waits for the disk, the others go on.
    """

    def __init__(self, url: str) -> None:
        from redis import asyncio

        self._redis = asyncio.Redis.from_url(url)

    async def fill(self, world: World) -> None:
        """Write everyone's events; what was there goes."""
        await self._redis.flushall()
        pipe = self._redis.pipeline(transaction=False)
        for row, user_id in enumerate(world.user_ids):
            if packed := _packed(*world.history(row)):
                pipe.rpush(user_id, *packed)
        await pipe.execute()

    async def last(self, user_id: str) -> Past:
        """Return a person's last events."""
        found = np.frombuffer(b"".join(await self._redis.lrange(user_id, -EVENTS, -1)), dtype=EVENT)
        return found["item"], found["ts"]

    async def add(self, events: Iterable[tuple[str, int, int]]) -> None:
        """Take in (person, item row, time)."""
        pipe = self._redis.pipeline(transaction=False)
        for user_id, item, ts in events:
            pipe.rpush(user_id, np.array([(item, ts)], dtype=EVENT).tobytes())
            pipe.ltrim(user_id, -EVENTS, -1)
        await pipe.execute()


def _packed(rows: Any, times: Any) -> list[bytes]:
    events = np.empty(len(rows), dtype=EVENT)
    events["item"], events["ts"] = rows, times
    return [event.tobytes() for event in events]
