# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What one core serves over HTTP, ours beside two peers: ``python -m bench latency served``.

A client on another core asks ``inkling serve`` (its log on disk, fsync before each answer to events) and the peers of
``peers`` (uvicorn; their state in Redis with appendfsync always, on the same core) in turn. Told are: the highest pace
of recommendations at which 99 of 100 are answered within 10 ms of when they were due; events accepted a second, in
batches of 100 and singly by 16 clients; and with 500 events and 500 recommendations a second, how soon an event has
changed its person's list, whether anything failed, and how memory grew after the first minute.
"""

from __future__ import annotations

from bench._kept import keep, one_thread

one_thread()

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from bench.latency._asked import ROOT, ContenderError, environment, peer_python, spare_core
from bench.latency._servers import Under, our_server, peer_server, redis
from bench.latency._world import World
from bench.latency.peers import OURS, add_arguments, asked_of, bundle_for, chosen, world_of
from bench.peers._venv import NoPeerError

BATCH, CLIENTS, LIMIT_MS = 100, 16, 10.0
GOALS = {"generated": 2000.0, "shop": 2500.0}
GOAL_RATIO, GOAL_BATCHES, GOAL_SINGLY, GOAL_CHANGED_MS, GOAL_GROWTH = 3.0, 20_000.0, 2000.0, 20.0, 0.05
MIXED_RATE = 500.0
_EVENT = {"generated": "interaction", "shop": "purchase"}
_MINUTE_S = 60.0
_STEPS = 6


def client(module: str, server: Under, lines: Sequence[str], *, core: int, **options: object) -> dict[str, Any]:
    """Run a client on its core; return what it saw, with the server's processor time.

    Raises:
        ContenderError: The client failed.
    """
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", f"bench.{module}", "--port", str(server.port), *words]
    pinned = ["taskset", "-c", str(core), *command] if core >= 0 and _has_taskset() else command
    before = server.cpu_s()
    done = subprocess.run(
        pinned, input="\n".join(lines), capture_output=True, text=True, check=False, cwd=ROOT, env=environment()
    )
    if done.returncode:
        raise ContenderError(f"The client failed: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "server_cpu_s": server.cpu_s() - before}


def highest(measure: Callable[[float], Mapping[str, Any]], capacity: float, *, steps: int = _STEPS) -> dict[str, Any]:
    """Return the highest pace found at which p99 is within the limit, and everything that was tried.

    Args:
        measure: A pace -> what came of it.
        capacity: What the server does when it is asked as fast as it answers.
        steps: How often to halve the interval between a pace that holds and one that does not.
    """
    low, high, tried, best = 0.0, 1.1 * capacity, [], 0.0
    for _ in range(steps):
        pace = (low + high) / 2 if tried else 0.8 * capacity
        one = measure(pace)
        tried.append(one)
        if one["p99_ms"] <= LIMIT_MS and one["kept_up"] and not one["n_bad"]:
            low, best = pace, max(best, float(one["per_s"]))
        else:
            high = pace
    return {"per_s": best, "capacity": capacity, "tried": tried}


def recommendations(server: Under, world: World, options: argparse.Namespace) -> dict[str, Any]:
    """Return the highest pace of recommendations that holds."""
    people = asked_of(world, "people", world.n_people)
    bodies = [json.dumps({"user_id": user_id, "k": options.k}) for user_id in people]
    path, core = "/v1/recommend", spare_core(options.core + 1)
    once = client("_load", server, bodies, core=core, path=path, connections=8, seconds=options.seconds)
    if once["n_bad"]:
        raise ContenderError(f"{server.name} refused {once['n_bad']} of {once['n']} calls: {once['first_bad']}")

    def paced(rate: float) -> dict[str, Any]:
        return client("latency._paced", server, bodies, core=core, path=path, rate=rate, seconds=options.seconds)

    return {"as_fast_as_answered": once, **highest(paced, float(once["per_s"]))}


def accepted(server: Under, world: World, options: argparse.Namespace, *, size: int, clients: int) -> dict[str, Any]:
    """Return how many events are accepted a second, ``size`` a call, by so many clients."""
    rng = np.random.default_rng(9)
    people = asked_of(world, "people", world.n_people)
    bodies = []
    for _ in range(200):
        items = rng.integers(0, world.n_items, size).tolist()
        who = rng.integers(0, len(people), size).tolist()
        rows = [
            {"user_id": people[a], "item_id": world.item_ids[b], "event": _EVENT[world.about["name"]]}
            for a, b in zip(who, items, strict=True)
        ]
        bodies.append(json.dumps({"events": rows}))
    core = spare_core(options.core + 1)
    found = client("_load", server, bodies, core=core, path="/v1/events", connections=clients, seconds=options.seconds)
    if found["n_bad"]:
        raise ContenderError(f"{server.name} refused {found['n_bad']} of {found['n']} calls: {found['first_bad']}")
    return {**found, "events_per_s": found["per_s"] * size}


def mixed(server: Under, world: World, options: argparse.Namespace) -> dict[str, Any]:
    """Return how soon events change answers under a steady load, and the memory meanwhile (seconds, MB)."""
    people = asked_of(world, "people", min(world.n_people, 2000))
    seconds = options.minutes * _MINUTE_S
    words = {"rate": options.rate, "seconds": seconds, "event": _EVENT[world.about["name"]]}
    command = [sys.executable, "-m", "bench.latency._mixed", "--port", str(server.port)]
    command += [word for name, value in words.items() for word in (f"--{name}", str(value))]
    core, memory, start = spare_core(options.core + 1), [], time.monotonic()
    pinned = ["taskset", "-c", str(core), *command] if core >= 0 and _has_taskset() else command
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as said:
        asked.write("\n".join(people))
        asked.seek(0)
        process = subprocess.Popen(pinned, stdin=asked, stdout=said, stderr=said, cwd=ROOT, env=environment())
        while process.poll() is None:
            memory.append((time.monotonic() - start, server.rss_mb()))
            time.sleep(1.0)
        said.seek(0)
        lines = said.read().splitlines()
    if process.returncode:
        raise ContenderError(f"The client failed: {' '.join(lines[-3:])}")
    found: dict[str, Any] = json.loads(lines[-1])
    return {**found, "growth": growth(memory), "memory_mb": [round(mb, 1) for _, mb in memory]}


def growth(memory: Sequence[tuple[float, float]]) -> float:
    """Return by what share memory grew from the end of the first minute (or third, if shorter) to the last tenth."""
    if not memory:
        return 0.0
    last = memory[-1][0]
    early = [mb for at, mb in memory if at >= min(_MINUTE_S, last / 3)][: max(len(memory) // 10, 1)]
    late = [mb for at, mb in memory if at >= 0.9 * last]
    return float(np.median(late) / np.median(early) - 1)


def measured(server: Under, world: World, options: argparse.Namespace, what: str) -> dict[str, Any]:
    """Return one kind of measurement of one server."""
    if what == "recommend":
        return recommendations(server, world, options)
    if what == "mixed":
        return mixed(server, world, options)
    size = BATCH if what == "batches" else 1
    return accepted(server, world, options, size=size, clients=8 if what == "batches" else CLIENTS)


def goals(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[tuple[str, float, float, bool]]:
    """Return each goal with its value, its limit and whether it was reached, as far as it was measured."""
    told: list[tuple[str, float, float, bool]] = []

    def least(what: str, value: float, limit: float) -> None:
        told.append((what, value, limit, value >= limit))

    def most(what: str, value: float, limit: float) -> None:
        told.append((what, value, limit, value <= limit))

    for name, kinds in found.items():
        ours = {what: rows[OURS] for what, rows in kinds.items() if "failed" not in rows.get(OURS, {"failed": ""})}
        tuned = kinds.get("recommend", {}).get("tuned", {})
        if "recommend" in ours:
            least(f"{name}: recommendations a second, p99 <= 10 ms", ours["recommend"]["per_s"], GOALS[name])
            if tuned.get("per_s"):
                least(f"{name}: times the tuned peer's", ours["recommend"]["per_s"] / tuned["per_s"], GOAL_RATIO)
        if "batches" in ours:
            least(f"{name}: durable events a second, by 100", ours["batches"]["events_per_s"], GOAL_BATCHES)
        if "singly" in ours:
            least(f"{name}: durable events a second, singly", ours["singly"]["events_per_s"], GOAL_SINGLY)
        if "mixed" in ours:
            most(f"{name}: event to changed list, p99 ms", ours["mixed"]["changed_p99_ms"], GOAL_CHANGED_MS)
            most(f"{name}: errors, and events without effect", _faults(ours["mixed"]), 0.0)
            most(f"{name}: growth of memory after a minute", ours["mixed"]["growth"], GOAL_GROWTH)
    return told


def _faults(row: Mapping[str, Any]) -> float:
    return float(row["n_bad"] + row["n_unchanged"])


def line(what: str, who: str, row: Mapping[str, Any]) -> str:
    """Return one line of what is printed."""
    if "failed" in row:
        return f"  {what:<10} {who:<10} failed: {row['failed']}"
    if what == "recommend":
        said = f"{row['per_s']:>9,.0f}/s at p99 <= {LIMIT_MS:g} ms, {row['capacity']:,.0f}/s as fast as answered"
    elif what == "mixed":
        said = (
            f"event to changed list p50 {row['changed_p50_ms']:.1f} p99 {row['changed_p99_ms']:.1f} ms, "
            f"{row['n_bad']} errors, {row['n_unchanged']} without effect, memory {row['growth']:+.1%}"
        )
    else:
        said = f"{row['events_per_s']:>9,.0f} events/s, p99 {row['p99_ms']:.1f} ms a call"
    return f"  {what:<10} {who:<10} {said}"


def opened(world: World, options: argparse.Namespace, stack: ExitStack) -> list[Under]:
    """Start all servers; a peer that cannot be had is left out, with the reason printed."""
    core, servers = spare_core(options.core), []
    # Beside the results rather than in a folder of the system's, which may be memory, where fsync costs nothing.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.out, prefix="served-")))
    for name in chosen(options):
        (folder / name).mkdir()
        try:
            if name == OURS:
                servers.append(stack.enter_context(our_server(bundle_for(world, options), folder / name, core=core)))
                continue
            python = peer_python(name, dict(options.python))
            state = stack.enter_context(redis(options.redis, folder / name, core=core))
            if not state[0]:
                print(f"{name}: there is no redis-server; its state is in its process and nothing of it is durable.")
            servers.append(stack.enter_context(peer_server(name, python, world, state=state, core=core)))
        except (NoPeerError, ContenderError, RuntimeError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return servers


def _has_taskset() -> bool:
    import shutil

    return shutil.which("taskset") is not None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.latency.served", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_arguments(parser)
    kinds = ("recommend", "batches", "singly", "mixed")
    parser.add_argument("--measure", default=",".join(kinds), help=f"what ({','.join(kinds)})")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each pace is held (10)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the mixed load is held (10)")
    parser.add_argument("--rate", type=float, default=MIXED_RATE, help="its events and recommendations a second (500)")
    parser.add_argument("--redis", help="the redis-server to run; default: the installed one, if there is one")
    options = parser.parse_args(argv)
    if options.quick:
        options.items, options.people, options.seconds, options.minutes = 60_000, 300, 1.0, 0.1
        options.rate = min(options.rate, 20.0)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = "latency-served-quick" if options.quick else "latency-served"
    found: dict[str, Any] = {"quick": options.quick, "limit_ms": LIMIT_MS, "rate": options.rate, "measured": {}}
    for name in options.worlds.split(","):
        world, rows = world_of(name, options), found["measured"].setdefault(name, {})
        with ExitStack() as stack:
            servers = opened(world, options, stack)
            print(f"{name}: {world.n_items:,} items, {world.n_people:,} people", flush=True)
            for what in options.measure.split(","):
                for server in servers:
                    try:
                        row = measured(server, world, options, what)
                    except ContenderError as error:
                        row = {"failed": str(error)}
                    rows.setdefault(what, {})[server.name] = row
                    keep(kept, found, out=options.out)
                    print(line(what, server.name, row), flush=True)
    found["goals"] = goals(found["measured"])
    keep(kept, found, out=options.out)
    for what, value, limit, reached in found["goals"]:
        print(f"{what}: {value:,.2f}, goal {limit:g}: {'reached' if reached else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
