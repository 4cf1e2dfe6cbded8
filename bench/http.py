"""What one worker does over a real socket: recommendations and durable events a second: ``python -m bench.http``.

``inkling serve`` runs with its log on disk (fsync before each answer to events); a client in another process asks over
1 and over 8 kept connections. Recommendations are of k = 10 for different people; events come in batches of 100. The
server's processor time per call is what one core spends; where the client's share is near 1, the client is the limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._kept import OUT, keep
from bench._served import Served, served
from bench._shop import people_of, shop_bundle
from bench._tree import cpu_s, rss_mb

BATCH, N_BATCHES = 100, 200
CONNECTIONS = (1, 8)


def questions(people: Sequence[str], k: int) -> list[str]:
    """Return a body for each person."""
    return [json.dumps({"user_id": user_id, "k": k}) for user_id in people]


def batches(people: Sequence[str], items: Sequence[str]) -> list[str]:
    """Return bodies of 100 purchases; the server gives each its id and its time."""
    made = []
    for batch in range(N_BATCHES):
        places = range(batch * BATCH, (batch + 1) * BATCH)
        rows = [
            {"user_id": people[at % len(people)], "item_id": items[at * 7919 % len(items)], "event": "purchase"}
            for at in places
        ]
        made.append(json.dumps({"events": rows}))
    return made


def load(server: Served, path: str, bodies: Sequence[str], *, connections: int, seconds: float) -> dict[str, Any]:
    """Let the client ask; return what it saw, with the server's processor time per call."""
    command = [sys.executable, "-m", "bench._load", "--port", str(server.port), "--path", path]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    before = cpu_s(server.pid)
    done = subprocess.run(command, input="\n".join(bodies), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The client failed: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["n_bad"]:
        raise RuntimeError(
            f"{found['n_bad']} of {found['n']} calls of {path} were refused, such as: {found['first_bad']}"
        )
    return {**found, "connections": connections, "server_cpu_ms": (cpu_s(server.pid) - before) / found["n"] * 1000}


def line(name: str, row: dict[str, Any], times: int) -> str:
    """Return one line of the table; ``times`` is how many things a call carries."""
    return (
        f"{name:<34} {row['connections']:>5} {row['per_s'] * times:>10,.0f} {row['p50_ms']:>9.2f} "
        f"{row['p99_ms']:>9.2f} {row['server_cpu_ms']:>14.2f} {row['client_cpu_share']:>8.2f}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.http", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="a fitted bundle; default: the bundled shop's, fitted once")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each line is measured (5)")
    parser.add_argument("--people", type=int, default=2000, help="how many different people ask (2000)")
    parser.add_argument("-k", type=int, default=10, help="length of an answer (10)")
    parser.add_argument("--durability", choices=("fsync", "os"), default="fsync", help="what accepted means (fsync)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    bundle = shop_bundle(options.bundle, out=options.out)
    people, items = people_of(bundle, options.people), _items(bundle)
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "k": options.k,
        "durability": options.durability,
        "batch": BATCH,
        "recommend": [],
        "events": [],
    }
    print(
        f"{'one worker':<34} {'conn.':>5} {'per s':>10} {'p50 ms':>9} {'p99 ms':>9} {'server cpu ms':>14} {'client':>8}"
    )
    # Beside the results rather than in a folder of the system's, which may be memory, where fsync costs nothing.
    with tempfile.TemporaryDirectory(dir=options.out, prefix="store-") as store:
        address = f"file://{Path(store).resolve()}"
        with served(bundle, "--store", address, "--durability", options.durability) as server:
            load(server, "/v1/recommend", questions(people, options.k), connections=2, seconds=min(options.seconds, 1))
            for what, path, bodies, times in (
                ("recommend", "/v1/recommend", questions(people, options.k), 1),
                ("events", "/v1/events", batches(people, items), BATCH),
            ):
                for connections in CONNECTIONS:
                    row = load(server, path, bodies, connections=connections, seconds=options.seconds)
                    found[what].append({**row, f"{what}_per_s": row["per_s"] * times})
                    found["server_rss_mb"] = rss_mb(server.pid)
                    keep("http", found, out=options.out)
                    name = "recommendations" if times == 1 else f"events, {options.durability}, {BATCH} a call"
                    print(line(name, row, times), flush=True)
    print(f"the server holds {found['server_rss_mb']:,.0f} MB at the end")
    return 0


def _items(bundle: Path) -> list[str]:
    from inkling.engine.bundle import Bundle

    base = Bundle.read(bundle).base
    return [item_id for row, item_id in enumerate(base.item_ids.ids()) if base.known_items[row]]


if __name__ == "__main__":
    sys.exit(main())
