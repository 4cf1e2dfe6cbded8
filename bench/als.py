# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Seconds of an iteration of ``als`` beside the library ``implicit``, and what both are worth: ``python -m bench als``.

The same matrix, objective, threads and number of iterations, by turns, each in a process of its own. The ratio is of
the fastest iterations of each within one run, by the wall's clock and of the processor; the goal is at most 1.2. The
peer needs an environment with ``implicit``: ``--peer-python PATH``. Without it only ours is measured.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench._made import last_of, made
from inkling import datasets, scenarios
from inkling.core.arrays import F32, Array
from inkling.core.config import parse
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.evaluation.folder import prepare
from inkling.protocol.fold import Fold
from inkling.protocol.measure import Recommend, measure
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.retrieval import build
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import people_by_items, signals
from inkling.retrieval.als import AlsConfig, alternate

GOAL = 1.2
SETTINGS = {"alpha": 10.0, "l2": 10.0}
MADE = (200_000, 20_000, 4_000_000)
N_ASKED = 2000
METRIC = "ndcg@10"


def real(name: str, kind: str, seen: str, root: Path | None) -> Fold:
    """Return the measurement of a public data set."""
    folder = datasets.load(name, None if name in datasets.catalog.BUNDLED else root)
    scenario = scenarios.load(folder.info.scenario or scenarios.GENERAL)
    events, scenario, tables = prepare(folder, scenario)
    spec = resolve(ProtocolSpec(split=kind, cuts=(0.9,), seen=seen, ks=(10,), metrics=("ndcg",)), scenario)
    return split(events, scenario, tables, spec)[0]


TASKS: dict[str, Callable[[Path | None], Fold]] = {
    "beauty": lambda root: real("beauty", "loo", "drop", root),
    "online-retail": lambda root: real("online-retail", "time", "keep", root),
    "made": lambda root: last_of(made(*MADE), N_ASKED),
}


class Peer:
    """Factors of people and items as another library left them."""

    name = "implicit"

    def __init__(self, people: F32, items: F32) -> None:
        """Answer from these."""
        self._people, self._items = people, items

    def scores(self, query: Query) -> F32:
        """Return (B, n_items)."""
        return np.asarray(self._people[query.user_rows] @ self._items.T, dtype=np.float32)


def ours(matrix_path: Path, out: Path, settings: dict[str, float]) -> None:
    """Fit in this process; print the seconds of each iteration and write what the model answers from."""
    from scipy.sparse import csr_array

    held = np.load(matrix_path)
    matrix = csr_array((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    marks: list[tuple[float, float]] = []
    run = Run(
        n_threads=int(settings["threads"]),
        progress=lambda *_: marks.append((time.perf_counter(), time.process_time())),
    )
    wanted = {name: settings[name] for name in (*SETTINGS, "factors", "iterations")}
    begun = time.perf_counter()
    items, values = alternate(matrix, parse(AlsConfig, wanted), run)
    took = time.perf_counter() - begun
    shape = np.array([1.0, matrix.shape[1], np.inf])
    np.savez(out, vectors=items, spectrum=values, shape=shape)
    wall, cpu = (np.diff([pair[i] for pair in marks[1:]]).tolist() for i in (0, 1))
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "fit_s": took}))


def apart(command: Sequence[str]) -> dict[str, Any]:
    """Run a command and return what it says in JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stderr.strip()}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def fastest(runs: Sequence[dict[str, Any]], clock: str) -> float:
    """Return the seconds of the fastest iteration of all runs."""
    return min(second for one in runs for second in one[clock])


def ours_recommends(path: Path, settings: dict[str, float]) -> Recommend:
    """Return our model as the process left it."""
    wanted = {name: settings[name] for name in (*SETTINGS, "factors", "iterations")}
    return build("als", wanted).load_state(arrays(path)).retrieve  # type: ignore[no-any-return]


def peer_recommends(path: Path) -> Recommend:
    """Return the peer as its process left it."""
    peer = Peer(**arrays(path))
    return lambda query, k: retrieve(peer, query, k)


def arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a file."""
    with np.load(path) as held:
        return {name: held[name] for name in held.files}


def compare(fold: Fold, settings: dict[str, float], peer: str, rounds: int) -> dict[str, Any]:
    """Return the seconds and the quality of both on one data set."""
    events = signals(fold.train, name="als")
    shape = (fold.train.n_users, fold.train.n_items)
    matrix = people_by_items(events, np.ones(len(events)), shape, signal="binary")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "matrix.npz"
        np.savez(path, data=matrix.data, indices=matrix.indices, indptr=matrix.indptr, shape=matrix.shape)
        outs = {name: Path(folder) / f"{name}.npz" for name in ("ours", "peer")}
        said = json.dumps(settings)
        mine = [sys.executable, "-m", "bench.als", "--fit", str(path), str(outs["ours"]), said]
        script = str(Path(__file__).with_name("_implicit_als.py"))
        theirs = [peer, script, str(path), str(outs["peer"]), said]
        runs: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
        for _ in range(rounds):
            runs["ours"].append(apart(mine))
            if peer:
                runs["peer"].append(apart(theirs))
        found: dict[str, Any] = {"observations": int(matrix.nnz), "people": shape[0], "items": shape[1], **settings}
        for name in filter(runs.get, runs):
            recommend = ours_recommends(outs["ours"], settings) if name == "ours" else peer_recommends(outs["peer"])
            found[name] = {clock: fastest(runs[name], clock) for clock in ("wall_s", "cpu_s")}
            found[name][METRIC] = measure(fold, recommend, (METRIC,)).value(METRIC)
    if peer:
        found["ratio"] = {clock: found["ours"][clock] / found["peer"][clock] for clock in ("wall_s", "cpu_s")}
        found["reached"] = found["ratio"]["wall_s"] <= GOAL
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench als", description=__doc__)
    parser.add_argument("--peer-python", default="", help="python of an environment that has implicit")
    parser.add_argument("--only", choices=list(TASKS), action="append", help="these data sets alone")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2, help="how often each is run, by turns")
    parser.add_argument("--data", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    parser.add_argument("--fit", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.fit:
        ours(Path(options.fit[0]), Path(options.fit[1]), json.loads(options.fit[2]))
        return 0
    settings = {**SETTINGS, **{name: getattr(options, name) for name in ("factors", "iterations", "threads")}}
    kept: dict[str, Any] = {}
    print(f"{'':14} {'':9} {'wall s':>8} {'cpu s':>8} {METRIC:>8}   an iteration, {json.dumps(settings)}")
    for name in options.only or TASKS:
        kept[name] = found = compare(TASKS[name](options.data), settings, options.peer_python, options.rounds)
        keep("als", {"tasks": kept}, out=options.out)
        for who in filter(found.get, ("ours", "peer")):
            one = found[who]
            print(f"{name:14} {who:9} {one['wall_s']:8.3f} {one['cpu_s']:8.3f} {one[METRIC]:8.4f}")
        if "ratio" in found:
            verdict = "reached" if found["reached"] else "missed"
            wall, cpu = found["ratio"]["wall_s"], found["ratio"]["cpu_s"]
            print(f"{name:14} {'ratio':9} {wall:8.2f} {cpu:8.2f}   goal <= {GOAL}: {verdict}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
