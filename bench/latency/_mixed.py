"""A client that acts and asks again and again, and tells how soon an answer has changed; a process of its own.

At a given pace somebody takes the first item of their last list; once that is accepted they ask, and again until the
list or its scores are others. The time runs from when the event was due to the changed answer. Reads people's ids by
line, prints JSON. ``python -m bench.latency._mixed --port P --rate 500 --seconds 600 --event purchase``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench._load import answered, percentile, request
from bench.latency._paced import due

AGAIN = 5
"""So often an answer that has not changed is asked for again."""

List = tuple[tuple[str, float], ...]


@dataclass
class Told:
    """What was seen, in milliseconds since an event was due."""

    changed: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    unchanged: int = 0
    again: int = 0
    bad: list[str] = field(default_factory=list)


class Client:
    """One connection; who comes acts and asks over it."""

    def __init__(self, port: int, event: str, k: int, told: Told) -> None:
        self.port, self.event, self.k, self.told = port, event, k, told

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def ask(self, user_id: str) -> List:
        """Return a person's list."""
        start = time.perf_counter()
        found = await self._post("/v1/recommend", {"user_id": user_id, "k": self.k})
        self.told.asked.append((time.perf_counter() - start) * 1000)
        return tuple((item["item_id"], item["score"]) for item in found.get("items", ()))

    async def act(self, user_id: str, before: List, since: float) -> List:
        """Take the first item of the list, ask until it has changed, return the new one."""
        event = {"user_id": user_id, "item_id": before[0][0], "event": self.event}
        await self._post("/v1/events", {"events": [event]})
        self.told.accepted.append((time.perf_counter() - since) * 1000)
        for turn in range(AGAIN):
            after = await self.ask(user_id)
            if after != before:
                self.told.changed.append((time.perf_counter() - since) * 1000)
                self.told.again += turn > 0
                return after
        self.told.unchanged += 1
        return before

    async def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        self._writer.write(request(path, json.dumps(content), self.port))
        status, body = await answered(self._reader)
        if status >= 300:
            self.told.bad.append(f"{status} {body[:200].decode(errors='replace')}")
            return {}
        found: dict[str, Any] = json.loads(body)
        return found


async def _worker(client: Client, waiting: asyncio.Queue[tuple[float, str] | None], lists: dict[str, List]) -> None:
    while (job := await waiting.get()) is not None:
        since, user_id = job
        if before := lists.pop(user_id, ()):  # somebody whose turn comes again before they are done waits for the next
            lists[user_id] = await client.act(user_id, before, since)


async def run(
    port: int, people: Sequence[str], *, rate: float, seconds: float, connections: int, event: str, k: int = 10
) -> dict[str, object]:
    """Let people act and ask at a pace; return what came of it."""
    told = Told()
    clients = [Client(port, event, k, told) for _ in range(connections)]
    for client in clients:
        await client.open()
    lists = {user_id: await clients[0].ask(user_id) for user_id in people}
    told.asked.clear()
    waiting: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    workers = [asyncio.create_task(_worker(client, waiting, lists)) for client in clients]
    gc.collect()
    gc.freeze()
    start, cpu = time.perf_counter(), time.process_time()
    for number, at in enumerate(due(rate, seconds)):
        await asyncio.sleep(max(start + at - time.perf_counter(), 0.0))
        waiting.put_nowait((start + at, people[number % len(people)]))
    for _ in workers:
        waiting.put_nowait(None)
    await asyncio.gather(*workers)
    wall = time.perf_counter() - start
    for client in clients:
        client.close()
    return summary(told, wall, (time.process_time() - cpu) / wall)


def summary(told: Told, wall_s: float, client_cpu_share: float) -> dict[str, object]:
    """Return counts, rates and percentiles."""
    found: dict[str, object] = {
        "events_per_s": len(told.accepted) / wall_s,
        "recommendations_per_s": len(told.asked) / wall_s,
        "n_bad": len(told.bad),
        "first_bad": told.bad[0] if told.bad else "",
        "n_unchanged": told.unchanged,
        "n_only_when_asked_again": told.again,
        "client_cpu_share": client_cpu_share,
    }
    for name in ("changed", "accepted", "asked"):
        ordered = sorted(getattr(told, name))
        found |= {f"{name}_p50_ms": percentile(ordered, 0.5), f"{name}_p99_ms": percentile(ordered, 0.99)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--event", default="interaction")
    options = parser.parse_args()
    people = sys.stdin.read().splitlines()
    asked = run(
        options.port,
        people,
        rate=options.rate,
        seconds=options.seconds,
        connections=options.connections,
        event=options.event,
    )
    print(json.dumps(asyncio.run(asked)))


if __name__ == "__main__":
    main()
