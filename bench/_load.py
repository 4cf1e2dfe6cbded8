"""A client that asks as fast as it is answered, over a few kept connections; a process of its own.

Reads one JSON body a line from standard input, sends them in turn to one path, prints JSON: how many were answered, in
what time, and percentiles. ``python -m bench._load --port P --path /v1/recommend --connections 8 --seconds 5``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle


def request(path: str, body: str, port: int) -> bytes:
    """Return a POST as bytes."""
    payload = body.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer; return its status and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


async def ask(port: int, requests: Iterator[bytes], until: float, took: list[float], bad: list[str]) -> None:
    """Ask over one connection until the time is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (start := time.perf_counter()) < until:
            writer.write(next(requests))
            status, body = await answered(reader)
            if status >= 300:
                bad.append(f"{status} {body[:200].decode(errors='replace')}")
            took.append((time.perf_counter() - start) * 1000)
    finally:
        writer.close()


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of all do not exceed; NaN without any."""
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] if ordered else math.nan


async def run(port: int, path: str, bodies: Sequence[str], *, connections: int, seconds: float) -> dict[str, object]:
    """Ask over several connections at once; return what came of it."""
    requests = cycle([request(path, body, port) for body in bodies])
    took: list[float] = []
    bad: list[str] = []
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(ask(port, requests, start + seconds, took, bad) for _ in range(connections)))
    wall, took = time.perf_counter() - start, sorted(took)
    return {
        "n": len(took),
        "n_bad": len(bad),
        "first_bad": bad[0] if bad else "",
        "wall_s": wall,
        "per_s": len(took) / wall,
        "p50_ms": percentile(took, 0.5),
        "p99_ms": percentile(took, 0.99),
        "client_cpu_share": (time.process_time() - cpu) / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    bodies = sys.stdin.read().splitlines()
    print(
        json.dumps(
            asyncio.run(
                run(options.port, options.path, bodies, connections=options.connections, seconds=options.seconds)
            )
        )
    )


if __name__ == "__main__":
    main()
