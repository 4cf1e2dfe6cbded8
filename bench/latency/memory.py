# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Resident memory: a served shop, and a million items and people more: ``python -m bench latency memory``.

The shop's is that of a real ``inkling serve`` after some hundred answers. Items and people are made up and served by
``lean`` in processes of their own: the difference between two sizes, by the number of items or people between them.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import gc
import http.client
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._served import served
from bench._shop import people_of, shop_bundle
from bench._tree import rss_mb
from bench.latency._turns import resident_mb, told

GOAL_MB = 300.0
N_ANSWERS = 500


def serving(bundle: Path) -> dict[str, float]:
    """Return the resident MB of ``inkling serve`` when it is ready, and after answers."""
    people = people_of(bundle, N_ANSWERS)
    with served(bundle) as server:
        ready = rss_mb(server.pid)
        calls = http.client.HTTPConnection("127.0.0.1", server.port)
        for user_id in people:
            body = json.dumps({"user_id": user_id, "k": 10})
            calls.request("POST", "/v1/recommend", body, {"content-type": "application/json"})
            calls.getresponse().read()
        calls.close()
        return {"ready_mb": ready, "after_answers_mb": rss_mb(server.pid)}


def alone(n_items: int, n_people: int) -> dict[str, float]:
    """Return the resident MB of this process once it serves so many items and people, and what belongs to what."""
    from bench.latency._big import big_bundle
    from inkling.engine.engine import LocalEngine
    from inkling.engine.pipelines.lean import Lean
    from inkling.stores.address import open_log
    from inkling.stores.freed import give_back

    bundle = big_bundle(n_items, n_people)
    gc.collect()
    give_back()
    made = resident_mb()
    with LocalEngine(open_log("memory://"), bundle=bundle) as engine:
        assert isinstance(engine.pipeline, Lean)
        engine.pipeline.wait()
        for number in range(50):
            engine.recommend(f"u{number % n_people}", k=10)
        gc.collect()
        give_back()
        return {"bundle_mb": made, "serving_mb": resident_mb()}


def in_its_own(n_items: int, n_people: int) -> dict[str, float]:
    """Return what :func:`alone` measures in a fresh process."""
    words = [sys.executable, "-m", "bench.latency.memory", "--alone", str(n_items), str(n_people)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench latency memory", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="a fitted bundle; default: the bundled shop's, fitted once")
    parser.add_argument("--items", type=int, default=1_000_000, help="how many items are added (1,000,000)")
    parser.add_argument("--people", type=int, default=100_000, help="how many people are added (100,000)")
    parser.add_argument("--quick", action="store_true", help="50,000 items and 1,000 people: shows that it runs")
    parser.add_argument("--data", default=None, help="not needed: the bundled shop is served")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    parser.add_argument("--alone", type=int, nargs=2, metavar=("ITEMS", "PEOPLE"), help="measure one size in here")
    options = parser.parse_args(argv)
    if options.alone:
        print(json.dumps(alone(*options.alone)))
        return 0
    if options.quick:
        options.items, options.people = 50_000, 1_000
    shop = serving(shop_bundle(options.bundle, out=options.out))
    print(
        f"inkling serve: {shop['ready_mb']:.0f} MiB when ready, {shop['after_answers_mb']:.0f} after answers",
        flush=True,
    )
    least = (60_000, 100)
    sizes = {"least": least, "items": (least[0] + options.items, 100), "people": (least[0], 100 + options.people)}
    grown: dict[str, Any] = {name: in_its_own(*size) for name, size in sizes.items()}
    grew = {name: grown[name]["serving_mb"] - grown["least"]["serving_mb"] for name in ("items", "people")}
    per = {"items": 1e6 / options.items, "people": 1e6 / options.people}
    for name, more in grew.items():
        print(f"a million {name}: {more * per[name]:,.0f} MB more, the bundle's own arrays and ids included")
    found = {"shop": shop, "grown": grown, "per_million_mb": {name: grew[name] * per[name] for name in grew}}
    found["reached"] = told([("inkling serve of the shop", shop["after_answers_mb"], GOAL_MB, "MiB")])
    print(f"kept in {keep('latency-memory', found, out=options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
