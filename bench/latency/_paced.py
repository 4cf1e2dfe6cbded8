"""A client that asks at a given pace, whether it is answered in time or not; a process of its own.

A question's time runs from when it was due, so that a server that falls behind cannot hide it. Reads one JSON body a
line from standard input, prints JSON. ``python -m bench.latency._paced --port P --path /v1/recommend --rate 500``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from bench._load import answered, percentile, request

LATE_S = 2.0
"""A run ends early where questions are so late: the pace is far beyond what the server can do."""


def due(rate: float, seconds: float, *, seed: int = 0) -> Iterator[float]:
    """Yield the seconds at which questions are due: independent of each other, ``rate`` a second on average."""
    rng, at = random.Random(seed), 0.0
    while (at := at + rng.expovariate(rate)) < seconds:
        yield at


async def _worker(port: int, waiting: asyncio.Queue[tuple[float, bytes] | None], told: _Told) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (job := await waiting.get()) is not None:
            writer.write(job[1])
            status, body = await answered(reader)
            told.took.append((time.perf_counter() - job[0]) * 1000)
            if status >= 300:
                told.bad.append(f"{status} {body[:200].decode(errors='replace')}")
    finally:
        writer.close()


class _Told:
    def __init__(self) -> None:
        self.took: list[float] = []
        self.bad: list[str] = []


async def run(
    port: int, path: str, bodies: Sequence[str], *, rate: float, seconds: float, connections: int
) -> dict[str, object]:
    """Ask at a pace over kept connections; return what came of it, percentiles in milliseconds since it was due."""
    requests = cycle([request(path, body, port) for body in bodies])
    waiting: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
    told = _Told()
    workers = [asyncio.create_task(_worker(port, waiting, told)) for _ in range(connections)]
    await asyncio.sleep(0.05)
    gc.collect()
    gc.freeze()
    start, cpu, kept_up = time.perf_counter(), time.process_time(), True
    for at in due(rate, seconds):
        pause = start + at - time.perf_counter()
        if pause < -LATE_S or waiting.qsize() > LATE_S * rate:
            kept_up = False
            break
        await asyncio.sleep(max(pause, 0.0))
        waiting.put_nowait((start + at, next(requests)))
    for _ in workers:
        waiting.put_nowait(None)
    await asyncio.gather(*workers)
    wall, took = time.perf_counter() - start, sorted(told.took)
    return {
        "rate": rate,
        "n": len(took),
        "n_bad": len(told.bad),
        "first_bad": told.bad[0] if told.bad else "",
        "kept_up": kept_up,
        "per_s": len(took) / wall,
        "p50_ms": percentile(took, 0.5),
        "p99_ms": percentile(took, 0.99),
        "client_cpu_share": (time.process_time() - cpu) / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    bodies = sys.stdin.read().splitlines()
    asked = run(
        options.port, options.path, bodies, rate=options.rate, seconds=options.seconds, connections=options.connections
    )
    print(json.dumps(asyncio.run(asked)))


if __name__ == "__main__":
    main()
