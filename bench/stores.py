"""What the stores cost: ``python -m bench.stores [--events N] [--seconds S] [--json FILE]``.

Durable appends a second (one at a time, from 1 and 16 threads, and in hundreds), the last 50 events of a random person,
and the time to start again with a million events.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
from rich.console import Console
from rich.table import Table

from inkling.core.scenario import Scenario
from inkling.core.vocabulary import Vocabulary
from inkling.stores.address import open_log
from inkling.stores.base import ChangeLog, Changes
from inkling.stores.catalog import Catalog
from inkling.stores.sqlite import Durability
from inkling.stores.state import StateTable

N_USERS, N_ITEMS = 50_000, 4_000


def block(first: int, n: int) -> Changes:
    rows = tuple(
        {
            "event_id": f"{i:032x}",
            "user_id": f"user-{(i * 7919) % N_USERS}",
            "item_id": f"item-{(i * 104_729) % N_ITEMS}",
            "event": "interaction",
            "timestamp": 1_700_000_000_000 + i,
        }
        for i in range(first, first + n)
    )
    return Changes("events", rows)


def appends_a_second(log: ChangeLog, *, n_threads: int, n_rows: int, seconds: float) -> float:
    """Return acknowledged events a second."""
    counts = [0] * n_threads
    end = time.perf_counter() + seconds

    def work(which: int) -> None:
        while time.perf_counter() < end:
            log.append(block((which + 1) * 10**9 + counts[which], n_rows))
            counts[which] += n_rows

    threads = [Thread(target=work, args=(which,)) for which in range(n_threads)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def median_us(call: Callable[[int], object], n: int) -> float:
    times = []
    for i in range(n):
        start = time.perf_counter_ns()
        call(i)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1000


def bench_appends(folder: Path, seconds: float) -> dict[str, float]:
    results = {}
    durabilities: tuple[Durability, ...] = ("fsync", "os")
    for durability in durabilities:
        for n_threads, n_rows in ((1, 1), (16, 1), (1, 100)):
            log = open_log(str(folder / f"{durability}-{n_threads}-{n_rows}"), durability=durability)
            name = f"events/s, {durability}, {n_threads} thread(s), {n_rows} a block"
            results[name] = appends_a_second(log, n_threads=n_threads, n_rows=n_rows, seconds=seconds)
            log.close()
    return results


def bench_restart(folder: Path, n_events: int) -> dict[str, float]:
    log = open_log(str(folder / "restart"), durability="os")
    for first in range(0, n_events, 100):
        log.append(block(first, min(100, n_events - first)))
    log.close()
    start = time.perf_counter()
    log = open_log(str(folder / "restart"))
    users, items = Vocabulary(), Vocabulary()
    state, catalog = StateTable(users, items, Vocabulary(), Scenario()), Catalog(items)
    for changes in log.scan():
        state.apply(changes)
        catalog.apply(changes)
    restart_s = time.perf_counter() - start
    rows = np.random.default_rng(0).integers(0, len(users), (5_000, 1)).astype(np.int32)
    fresh = [Changes("events", block(n_events + i, 1).rows, n_events + 1 + i) for i in range(5_000)]
    late = [Changes("events", block(i, 1).rows, n_events + 5_001 + i) for i in range(5_000)]
    results = {
        f"restart with {n_events:,} events, s": restart_s,
        "last 50 events of a random user, us (median)": median_us(lambda i: state.history(rows[i], limit=50), 5_000),
        "append one event to the state, us (median)": median_us(lambda i: state.apply(fresh[i]), len(fresh)),
        "append one that comes late, us (median)": median_us(lambda i: state.apply(late[i]), len(late)),
        "log on disk, MB": sum(path.stat().st_size for path in (folder / "restart").iterdir()) / 1e6,
    }
    start = time.perf_counter()
    log.erase_user("user-7")
    results["erase one person, ms"] = (time.perf_counter() - start) * 1000
    log.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = bench_appends(Path(folder), options.seconds) | bench_restart(Path(folder), options.events)
    table = Table("what", "measured", title="Stores")
    for name, value in results.items():
        table.add_row(name, f"{value:,.1f}")
    Console().print(table)
    text = json.dumps({name: round(value, 3) for name, value in results.items()}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
