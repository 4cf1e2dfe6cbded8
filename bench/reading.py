"""How fast event files are read, with rejects, on one core; what reading, cleaning and splitting many of them takes.

Run: ``python -m bench.reading [--rows 2000000] [--memory-rows 10000000]``. Each measurement has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONE_CORE = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
BAD_EVERY = 1000
TARGETS = {"parquet": 3e6, "csv": 1e6}
PEAK_TARGET_MB = 3072.0
CUT = 0.9


def write_events(folder: Path, rows: int, form: str) -> None:
    """Write ``rows`` generated events, every thousandth of them bad."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    users = (rows // 10 * rng.random(rows) ** 2).astype(np.int64)
    items = (rows // 40 * rng.random(rows) ** 3).astype(np.int64)
    bad = np.arange(rows) % BAD_EVERY == BAD_EVERY - 1
    frame = pl.DataFrame(
        {
            "user_id": pl.Series(users).cast(pl.String),
            "item_id": pl.Series(items).cast(pl.String),
            "timestamp": 1_600_000_000 + np.sort(rng.integers(0, 30_000_000, rows)),
            "event": pl.Series(["view", "purchase", "cancel"]).gather(rng.choice(3, rows, p=[0.7, 0.28, 0.02])),
            "value": pl.Series(rng.integers(1, 9, rows), dtype=pl.Float32),
        }
    )
    if form == "parquet":
        no_time = pl.when(pl.Series(bad)).then(None).otherwise(pl.col("timestamp")).alias("timestamp")
        frame.with_columns(no_time).write_parquet(folder / "events.parquet")
    else:
        never = pl.when(pl.Series(bad)).then(pl.lit("never")).otherwise(pl.col("timestamp").cast(pl.String))
        frame.with_columns(never.alias("timestamp")).write_csv(folder / "events.csv")


def read_once(folder: Path, form: str) -> dict[str, float]:
    """Return rows, rejects and seconds (wall and processor) of reading one file."""
    import polars as pl

    from inkling.events.read import read_table
    from inkling.events.schema import DatasetInfo

    pl.select(1)
    best: dict[str, float] = {}
    for _ in range(3):
        started, worked = time.perf_counter(), time.process_time()
        loaded = read_table(folder / f"events.{form}", "events", info=DatasetInfo(time="real"))
        took = {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - worked}
        if not best or took["seconds"] < best["seconds"]:
            best = {**took, "rows": loaded.frame.height, "rejects": len(loaded.rejects)}
    return best


def whole_way(folder: Path, form: str) -> dict[str, float]:
    """Return what reading, cleaning and splitting one file takes: seconds and peak megabytes of this process."""
    import numpy as np

    from inkling.core.scenario import Scenario
    from inkling.core.tables import Events
    from inkling.events import clean_part, clean_rows, load_folder, positive_mask

    scenario = Scenario(positive={"purchase": 1.0}, signals={"view": 0.2}, takes_back={"cancel": "purchase"})
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    loaded = load_folder(folder)
    events, n_rejects = loaded.events, loaded.report.n_rejects
    del loaded
    seconds["read_s"] = time.perf_counter() - started
    started = time.perf_counter()
    events, _ = clean_rows(events, scenario)
    times = np.sort(events.frame["timestamp"].to_numpy()[positive_mask(events.frame, scenario)])
    cut = int(times[int(CUT * len(times))])
    train = Events(events.frame.filter(events.frame["timestamp"] <= cut))
    test = Events(events.frame.filter(events.frame["timestamp"] > cut))
    del events
    seconds["split_s"] = time.perf_counter() - started
    started = time.perf_counter()
    train, _ = clean_part(train, scenario)
    test, _ = clean_part(test, scenario)
    seconds["clean_s"] = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**seconds, "train": len(train), "test": len(test), "rejects": n_rejects, "peak_mb": peak}


def apart(task: str, folder: Path, form: str, *, one_core: bool) -> dict[str, float]:
    """Run one task in a process of its own and return what it says."""
    command = [sys.executable, "-m", "bench.reading", "--task", task, "--folder", str(folder), "--form", form]
    environment = {**os.environ, **(ONE_CORE if one_core else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def report(rows: int, memory_rows: int) -> None:
    """Print all numbers."""
    with tempfile.TemporaryDirectory() as name:
        for form, target in TARGETS.items():
            folder = Path(name) / form
            folder.mkdir()
            write_events(folder, rows, form)
            got = apart("read", folder, form, one_core=True)
            total = got["rows"] + got["rejects"]
            print(
                f"read {form}: {total / got['seconds']:,.0f} events/s "
                f"({total / got['cpu_s']:,.0f} by processor time; target {target:,.0f}), "
                f"{total:,.0f} events of which {got['rejects']:,.0f} put aside, one core"
            )
        for form in TARGETS:
            folder = Path(name) / f"{form}-large"
            folder.mkdir()
            write_events(folder, memory_rows, form)
            got = apart("whole", folder, form, one_core=False)
            print(
                f"read, clean, split {memory_rows:,} from {form}: {got['peak_mb']:,.0f} MB at the peak "
                f"(target {PEAK_TARGET_MB:,.0f}), read {got['read_s']:.1f} s, split {got['split_s']:.1f} s, "
                f"clean {got['clean_s']:.1f} s, {got['train']:,.0f} + {got['test']:,.0f} events left"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--memory-rows", type=int, default=10_000_000)
    parser.add_argument("--task", choices=["read", "whole"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--form", default="csv")
    args = parser.parse_args()
    if args.task is None:
        report(args.rows, args.memory_rows)
        return
    task = read_once if args.task == "read" else whole_way
    print(json.dumps(task(args.folder, args.form)))


if __name__ == "__main__":
    main()
