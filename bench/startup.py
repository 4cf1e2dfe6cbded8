"""What it takes to be there: import, installation, bundle, memory: ``python -m bench.startup``.

Import is the best of five fresh processes (goal 100 ms). The installation is the packages of ``requirements/base.txt``
as their own records list them, and Inkling with its data (goal 600 MB, no torch); byte code, which Python writes when
modules are used, stands apart. A bundle is loaded in a fresh process; the serving process is a real one, after answers.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import inkling
from bench._kept import OUT, keep
from bench._served import Served, served
from bench._shop import people_of, shop_bundle
from bench._tree import rss_mb

GOAL_IMPORT_MS, GOAL_MB = 100.0, 600.0
LOCK = Path(__file__).parents[1] / "requirements" / "base.txt"
N_FRESH, N_ANSWERS = 5, 500
HEAVY = ("torch", "scipy", "lightgbm", "onnxruntime", "faiss", "polars", "numpy")

_IMPORT = """
import json, sys, time
start, cpu = time.perf_counter(), time.process_time()
import inkling
took = {"wall": (time.perf_counter() - start) * 1000, "cpu": (time.process_time() - cpu) * 1000}
print(json.dumps({**took, "heavy": [name for name in %r if name in sys.modules]}))
"""
_OPEN = """
import json, sys, time
import inkling
start = time.perf_counter()
engine = inkling.open(bundle=sys.argv[1])
opened = time.perf_counter()
engine.recommend(sys.argv[2], k=10)
answered = time.perf_counter()
engine.recommend(sys.argv[2], k=10)
took = {"open": (opened - start) * 1000, "first": (answered - opened) * 1000}
print(json.dumps({**took, "torch": "torch" in sys.modules}))
engine.close()
"""


def fresh(code: str, *words: str) -> dict[str, Any]:
    """Run code in a process of its own; return the JSON of its last line."""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def import_ms(n: int) -> dict[str, Any]:
    """Return the best of n imports, and which heavy libraries came with it."""
    runs = [fresh(_IMPORT % (HEAVY,)) for _ in range(n)]
    best = min(runs, key=lambda run: run["wall"])
    return {"best_ms": best["wall"], "cpu_ms": min(run["cpu"] for run in runs), "brings": best["heavy"]}


def installation(lock: Path) -> dict[str, Any]:
    """Return the size of what a lock file names and of Inkling itself, in MB, and what is not installed here."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sizes: dict[str, float] = {}
    missing, byte_code = [], 0.0
    for name in names:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            missing.append(name)
            continue
        paths = {Path(str(file.locate())) for file in files}
        sizes[name] = _mb(path for path in paths if path.suffix != ".pyc")
        byte_code += _mb(
            path for folder in {path.parent for path in paths} for path in folder.glob("__pycache__/*.pyc")
        )
    own = Path(inkling.__file__).parent
    sizes["inkling"] = _mb(path for path in own.rglob("*") if path.suffix != ".pyc")
    total = sum(sizes.values())
    largest = dict(sorted(sizes.items(), key=lambda pair: -pair[1])[:6])
    return {"mb": total, "byte_code_mb": byte_code, "largest": largest, "missing": missing, "torch": "torch" in names}


def opening(bundle: Path, user_id: str, n: int) -> dict[str, Any]:
    """Return the best of n: milliseconds to open an engine on a bundle, and to the first answer after that."""
    runs = [fresh(_OPEN, str(bundle), user_id) for _ in range(n)]
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) / 1e6
    return {
        "open_ms": min(run["open"] for run in runs),
        "first_answer_ms": min(run["first"] for run in runs),
        "bundle_mb": size,
        "torch_loaded": any(run["torch"] for run in runs),
    }


def serving(bundle: Path, people: Sequence[str]) -> dict[str, float]:
    """Return the resident MB of a serving process when it is ready, and after some hundred answers."""
    with served(bundle) as server:
        ready = rss_mb(server.pid)
        _ask(server, people)
        return {"ready_mb": ready, "after_answers_mb": rss_mb(server.pid), "answers": len(people)}


def _ask(server: Served, people: Sequence[str]) -> None:
    calls = http.client.HTTPConnection("127.0.0.1", server.port)
    for user_id in people:
        body = json.dumps({"user_id": user_id, "k": 10})
        calls.request("POST", "/v1/recommend", body, {"content-type": "application/json"})
        calls.getresponse().read()
    calls.close()


def _mb(paths: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def report(found: dict[str, Any]) -> str:
    """Return the numbers with their goals as lines to read."""
    spent, size, opened, held = found["import"], found["installation"], found["opening"], found["serving"]
    slow = "reached" if spent["best_ms"] <= GOAL_IMPORT_MS else f"missed by {spent['best_ms'] - GOAL_IMPORT_MS:.0f} ms"
    large = "reached" if size["mb"] <= GOAL_MB and not size["torch"] else f"missed by {size['mb'] - GOAL_MB:.0f} MB"
    parts = ", ".join(f"{name} {mb:.0f}" for name, mb in size["largest"].items())
    return "\n".join(
        [
            f"import inkling          {spent['best_ms']:.0f} ms (processor {spent['cpu_ms']:.0f} ms), "
            f"brings {', '.join(spent['brings']) or 'nothing heavy'}   goal: <= {GOAL_IMPORT_MS:.0f} ms: {slow}",
            f"base installation       {size['mb']:.0f} MB ({parts}), torch: {'yes' if size['torch'] else 'no'}   "
            f"goal: <= {GOAL_MB:.0f} MB, no torch: {large}",
            f"  byte code beside it   {size['byte_code_mb']:.0f} MB"
            + (f"; not installed here: {', '.join(size['missing'])}" if size["missing"] else ""),
            f"open a bundle           {opened['open_ms']:.0f} ms for {opened['bundle_mb']:.1f} MB, then the first "
            f"answer {opened['first_answer_ms']:.0f} ms; torch loaded: {'yes' if opened['torch_loaded'] else 'no'}",
            f"serving process         {held['ready_mb']:.0f} MB when ready, {held['after_answers_mb']:.0f} MB after "
            f"{held['answers']} answers",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.startup", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="a fitted bundle; default: the bundled shop's, fitted once")
    parser.add_argument(
        "--fresh", type=int, default=N_FRESH, help=f"how many fresh processes, the best counts ({N_FRESH})"
    )
    parser.add_argument("--answers", type=int, default=N_ANSWERS, help=f"answers before memory is read ({N_ANSWERS})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    bundle = shop_bundle(options.bundle, out=options.out)
    people = people_of(bundle, options.answers)
    found = {
        "import": import_ms(options.fresh),
        "installation": installation(LOCK),
        "opening": opening(bundle, people[0], options.fresh),
        "serving": serving(bundle, people),
    }
    keep("startup", found, out=options.out)
    print(report(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
