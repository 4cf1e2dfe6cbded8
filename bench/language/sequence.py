# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Language vectors inside the sequential model: ``sasrec`` with and without the texts of items, paired by person.

Beauty: leave one out, no refit, seen dropped. Questions: replay from the cut at .9 (histories are observed, weights
stay as they were at the cut), seen kept. With texts an item is its own vector plus a learned projection of its
language vector, and goes by its text alone in a tenth of the training steps; so new items have a vector from their
first moment. Settings are those that validation chose when the model was built; nothing is chosen here. Each task,
variant and seed is kept.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.quality._command import public
from bench.quality._one import Setting, lay_out
from bench.quality._results import Place, Result, read, write
from bench.quality._tasks import named
from inkling import datasets, scenarios
from inkling.core.config import parse
from inkling.core.run import Run
from inkling.core.tables import Items
from inkling.engine.texts import TextReader
from inkling.evaluation.evaluate import group_rows
from inkling.evaluation.folder import prepare
from inkling.protocol.fold import Fold
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.protocol.replay import ReplayFold
from inkling.retrieval import RETRIEVERS

TASKS = ("beauty", "questions")
METRIC = "ndcg@10"
ENCODER = "auto"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "ids": {},
    "ids + texts": {"text": "add", "encoder": ENCODER, "dropout": 0.4, "forget": 0.1},
}
"""Variant -> settings of ``sasrec``; without texts, its own defaults."""
GROUPS = {"beauty": ("warm",), "questions": ("warm", "new_items")}
"""Task -> the groups that are compared; the first is the verdict's."""


def fitted(setting: Setting, settings: Mapping[str, Any], items: Items, seed: int, n_threads: int) -> list[Any]:
    """Return the model of each fold."""
    kind = RETRIEVERS.get("sasrec")
    reader = TextReader(ENCODER)
    config = parse(kind.Config, dict(settings), where="sasrec")
    run = Run(seed=seed, n_threads=n_threads)
    return [written(kind(config, encoder=reader).fit(fold.train, run), fold, items, reader) for fold in setting.folds]


def written(made: Any, fold: Fold, items: Items, reader: TextReader) -> Any:
    """Return the model after the items that the training part did not know were written, as a shop would.

    A question's limits keep those away that did not exist at its moment.
    """
    if not isinstance(fold, ReplayFold):
        return made
    texts, rows = items.texts(), fold.train.item_ids.rows(items.frame["item_id"])
    late = [at for at, row in enumerate(rows.tolist()) if row >= 0 and texts[at] and not fold.train.known_items[row]]
    made.put_items(rows[late], reader.encode([texts[at] for at in late]))
    return made


def catalogue(task: str, root: Path | None) -> Items:
    """Return the whole catalogue of a task."""
    folder = datasets.load(named(task).data, root)
    _, _, tables = prepare(folder, scenarios.load(folder.info.scenario or scenarios.GENERAL))
    if tables.items is None:
        raise SystemExit(f"'{task}' has no catalogue, so no texts.")
    return tables.items


def one(task: str, variant: str, seed: int, told: argparse.Namespace) -> Result:
    """Fit and measure one variant with one seed."""
    setting = lay_out(named(task), public(told.data), (seed,), quick=told.quick)
    settings = {**VARIANTS[variant], **({"epochs": 1} if told.quick else {})}
    begin = time.perf_counter()
    models = fitted(setting, settings, catalogue(task, public(told.data)), seed, told.threads)
    fit_s = time.perf_counter() - begin
    found = [measure(fold, made.retrieve, (METRIC,)) for fold, made in zip(setting.folds, models, strict=True)]
    groups = [group for group in GROUPS[task] if all(group in each.groups for each in found)]
    values = {
        group: (
            group_rows(setting.folds, group),
            np.concatenate([each.groups[group].values[METRIC] for each in found])[:, None],
        )
        for group in groups
    }
    about = {"fit_s": fit_s, "settings": settings, "metrics": [METRIC]}
    return Result(about, values)


def place(told: argparse.Namespace, task: str, variant: str, seed: int) -> Place:
    """Return where a step is kept."""
    tag = "quick" if told.quick else "full"
    return Place(told.out / "language", f"sequence-{tag}-{task}", variant.replace(" ", ""), seed)


def compared(with_: Sequence[Result], without: Sequence[Result], group: str) -> dict[str, Any]:
    """Return both means over seeds, and their difference paired by person (each person's mean over seeds)."""
    mine, other = (np.mean([one.values[group][1][:, 0] for one in each], axis=0) for each in (with_, without))
    gap = compare(mine, other, with_[0].values[group][0]).difference
    spread = [float(np.std([one.values[group][1].mean() for one in each])) for each in (with_, without)]
    return {
        "n": len(mine),
        "with": float(mine.mean()),
        "without": float(other.mean()),
        "seed_sd": spread,
        "difference": gap.mean,
        "low": gap.low,
        "high": gap.high,
        "reached": bool(gap.low > 0),
        "fit_s": [float(np.mean([one.about["fit_s"] for one in each])) for each in (with_, without)],
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.sequence", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"by comma ({','.join(TASKS)})")
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores of a fit (all)")
    parser.add_argument("--quick", action="store_true", help="one epoch: does it run?")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument(
        "--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual one"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    seeds = [int(seed) for seed in told.seeds.split(",")]
    console, found = Console(width=130), {}
    for task in told.tasks.split(","):
        steps: dict[str, list[Result]] = {variant: [] for variant in VARIANTS}
        for seed in seeds:
            for variant in VARIANTS:
                at = place(told, task, variant, seed)
                kept = None if told.fresh else read(at)
                if kept is None:
                    kept = one(task, variant, seed, told)
                    write(at, kept)
                steps[variant].append(kept)
                mean = kept.values[GROUPS[task][0]][1].mean()
                console.print(f"{task}, {variant}, seed {seed}: {METRIC} {mean:.4f}, {kept.about['fit_s']:.0f} s")
        ids, texts = steps["ids"], steps["ids + texts"]
        found[task] = {group: compared(texts, ids, group) for group in texts[0].values}
        keep("language-sequence", {"tasks": found}, out=told.out)
    show(found, console)
    return 0


def show(found: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print the comparison and the verdicts."""
    table = Table(title=f"sasrec with language vectors, {METRIC}")
    for name in ("task", "group", "n", "ids", "ids + texts", "difference, 95% interval", "fit s"):
        table.add_column(name, justify="left" if name in ("task", "group") else "right", no_wrap=True)
    for task, groups in found.items():
        for group, row in groups.items():
            interval = f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
            seconds = " / ".join(f"{s:.0f}" for s in reversed(row["fit_s"]))
            means = (f"{row['without']:.4f}", f"{row['with']:.4f}")
            table.add_row(task, group, f"{row['n']:,}", *means, interval, seconds)
    console.print(table)
    for task, groups in found.items():
        row = groups[GROUPS[task][0]]
        outcome = "reached" if row["reached"] else "MISSED"
        console.print(f"{task}: with language vectors above without, beyond the interval: {outcome}")


if __name__ == "__main__":
    raise SystemExit(main())
