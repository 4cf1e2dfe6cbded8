"""Killed at random moments under load: nothing acknowledged may be lost, nothing doubled, and it answers soon again.

``python -m bench serve kills --n 200``: writers send events, singly and in batches, and whatever was not acknowledged
when the server was killed is sent again afterwards with the same ``event_id``, as a client would.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench._kept import keep

GOAL_READY_S = 10.0
_INKLING = "import sys; from inkling.cli import main; sys.exit(main(sys.argv[1:]))"


class Writer(threading.Thread):
    """Sends events until it is told to stop; what was not acknowledged is sent again."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self._draw = random.Random(seed)
        self.port = 0
        self.up, self.over = threading.Event(), threading.Event()
        self.acknowledged: set[str] = set()
        self.n_sent = self.n_again = self._n_made = 0
        self._open: list[dict[str, str]] = []

    def run(self) -> None:
        """Send batch after batch while the server is up."""
        while not self.over.is_set():
            if not self.up.wait(0.1):
                continue
            try:
                self._send_all(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20))
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)  # it was killed; the batch stays open

    def _send_all(self, connection: http.client.HTTPConnection) -> None:
        while self.up.is_set() and not self.over.is_set():
            if self._open:
                self.n_again += len(self._open)
            else:
                self._open = [self._event() for _ in range(self._draw.choice((1, 1, 1, 10, 50)))]
            body = json.dumps({"events": self._open})
            self.n_sent += len(self._open)
            connection.request("POST", "/v1/events", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 202 or json.loads(said)["accepted"] != len(self._open):
                raise RuntimeError(f"{answer.status}: {said[:200]!r}")
            self.acknowledged.update(event["event_id"] for event in self._open)
            if self._draw.random() > 0.05:  # now and then an answer is lost on its way, and all is sent again
                self._open = []

    def _event(self) -> dict[str, str]:
        self._n_made += 1
        item = f"i{self._draw.randrange(200)}"
        return {
            "user_id": f"{self.name}-{self._n_made % 50}",
            "item_id": item,
            "event_id": f"{self.name}.{self._n_made}",
        }


def start(bundle: Path, store: Path) -> tuple[subprocess.Popen[str], int, float]:
    """Start a server; return it with its port once it answers, and the seconds that took."""
    begun = time.perf_counter()
    command = [sys.executable, "-u", "-c", _INKLING, "serve", str(bundle), "--port", "0", "--store", f"file://{store}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "http://127.0.0.1:" in line:
            port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", line)[0])
            return process, port, time.perf_counter() - begun
    raise RuntimeError("The server ended before it answered.")


def kill_often(
    bundle: Path, store: Path, *, n: int, writers: Sequence[Writer], seed: int, longest_s: float
) -> list[float]:
    """Kill a server ``n`` times while writers write, and let it come up once more; return the seconds to ready."""
    draw, ready = random.Random(seed), []
    for turn in range(n + 1):
        process, port, took = start(bundle, store)
        ready.append(took)
        for writer in writers:
            writer.port = port
            writer.up.set()
        time.sleep(draw.random() * longest_s if turn < n else 1.0)
        for writer in writers:
            (writer.up.clear if turn < n else writer.over.set)()
        if turn < n:
            process.send_signal(signal.SIGKILL)
        else:
            for writer in writers:
                writer.join(20)
            process.send_signal(signal.SIGTERM)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        print(f"\r{turn + 1}/{n + 1}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return ready


def stored(store: Path) -> Counter[str]:
    """Return how often each event id is in the log."""
    from inkling.stores.sqlite import SqliteLog

    log = SqliteLog(store, read_only=True)
    try:
        return Counter(row["event_id"] for block in log.scan() if block.kind == "events" for row in block.rows)
    finally:
        log.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="kills")
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--longest", type=float, default=2.0, help="seconds that a server lives at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="5 kills")
    parser.add_argument("--data", help="not needed: the shop is made up")
    parser.add_argument("--out", type=Path, default=Path("out") / "bench")
    options = parser.parse_args()
    n = 5 if options.quick else options.n
    with tempfile.TemporaryDirectory() as folder:
        bundle, store = Path(folder) / "bundle", Path(folder) / "store"
        make_bundle(bundle)
        writers = [Writer(f"w{number}", options.seed + number) for number in range(options.writers)]
        for writer in writers:
            writer.start()
        ready = kill_often(bundle, store, n=n, writers=writers, seed=options.seed, longest_s=options.longest)
        found = stored(store)
    acknowledged = set().union(*(writer.acknowledged for writer in writers))
    results = {
        "kills": n,
        "sent": sum(writer.n_sent for writer in writers),
        "sent_again": sum(writer.n_again for writer in writers),
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - set(found)),
        "doubled": sum(times > 1 for times in found.values()),
        "ready_s_worst": max(ready),
        "ready_s_median": sorted(ready)[len(ready) // 2],
    }
    keep("serve_kills", results, out=options.out)
    for name, value in results.items():
        print(f"{name:>16}  {value:.2f}" if isinstance(value, float) else f"{name:>16}  {value:,}")
    reached = not results["lost"] and not results["doubled"] and results["acknowledged"] > 0
    print(f"goal: nothing lost, nothing doubled: {'reached' if reached else 'MISSED'}")
    print(f"goal: ready within {GOAL_READY_S:g} s: {'reached' if max(ready) <= GOAL_READY_S else 'MISSED'}")
    return 0 if reached else 1


_QUICK = {
    "members": {"popular": {"retriever": "popular", "k": 30}, "itemknn": {"retriever": "itemknn", "k": 30}},
    "encoder": "hashing",
    "n_windows": 1,
    "order": "fused",
}


def make_bundle(folder: Path) -> None:
    """Write a small bundle of a shop that is made up."""
    import inkling
    from inkling.core.scenario import Scenario

    draw = random.Random(0)
    scenario = Scenario(positive={"interaction": 1.0}, seen="keep")
    with inkling.open(scenario=scenario) as engine:
        engine.put_items([{"item_id": f"i{n}", "title": f"thing {n}"} for n in range(200)])
        engine.observe(
            [
                {"user_id": f"u{n % 60}", "item_id": f"i{draw.randrange(200)}", "timestamp": 1_700_000_000 + 60 * n}
                for n in range(600)
            ]
        )
        engine.fit(scenario=scenario, settings=_QUICK)
        engine.save(folder)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
