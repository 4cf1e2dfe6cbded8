"""What the demo takes: seconds, and memory of the whole process tree: ``python -m bench.demo``.

Runs ``inkling demo --no-serve`` as a process of its own. Memory is the sum of the resident memory of the process and
all that it starts, looked at ten times a second; pages that two of them share count twice, so the sum is an upper
bound. Goals: 120 s on two cores, 3 GiB.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._kept import OUT, keep
from bench._tree import rss_mb, tree

GOAL_S, GOAL_MB = 120.0, 3072.0
LOOK_EVERY_S = 0.1
INKLING = "import sys; from inkling.cli import main; sys.exit(main(sys.argv[1:]))"


def account(command: Sequence[str], *, echo: bool) -> dict[str, Any]:
    """Run a command; return its status, seconds, processor seconds, peak megabytes and how many processes it was.

    What the command prints goes to our own output where ``echo`` says so.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=None if echo else subprocess.DEVNULL)
    peak, largest, seen = 0.0, 0.0, set[int]()
    while running.poll() is None:
        now = tree(running.pid)
        sizes = [rss_mb(pid) for pid in now]
        peak, largest, seen = max(peak, sum(sizes)), max([largest, *sizes]), seen | now
        time.sleep(LOOK_EVERY_S)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "status": running.returncode,
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_tree_mb": peak,
        "peak_process_mb": largest,
        "n_processes": len(seen),
    }


def report(found: dict[str, Any]) -> str:
    """Return the result with its goals as lines to read."""
    wall, peak = found["wall_s"], found["peak_tree_mb"]
    time_goal = "reached" if wall <= GOAL_S else f"missed by {wall - GOAL_S:.0f} s"
    memory_goal = "reached" if peak <= GOAL_MB else f"missed by {peak - GOAL_MB:,.0f} MB"
    return "\n".join(
        [
            f"status              {found['status']}",
            f"wall                {wall:.1f} s   goal: <= {GOAL_S:.0f} s on two cores: {time_goal}",
            f"processor           {found['cpu_s']:.1f} s, {found['n_processes']} processes; "
            f"load average before {found['load_before']:.1f}",
            f"peak of the tree    {peak:,.0f} MB   goal: <= {GOAL_MB:,.0f} MB: {memory_goal}",
            f"peak of a process   {found['peak_process_mb']:,.0f} MB",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.demo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--command", help="measure this command instead of the demo")
    parser.add_argument("--echo", action="store_true", help="show what the command prints")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-c", INKLING, "demo", "--no-serve", "--out", f"{folder}/bundle"]
        command = shlex.split(options.command) if options.command else demo
        found = {**account(command, echo=options.echo), "load_before": load, "goal_s": GOAL_S, "goal_mb": GOAL_MB}
    found["reached"] = found["status"] == 0 and found["wall_s"] <= GOAL_S and found["peak_tree_mb"] <= GOAL_MB
    keep("demo", found, out=options.out)
    print(report(found))
    return int(found["status"] != 0)


if __name__ == "__main__":
    sys.exit(main())
