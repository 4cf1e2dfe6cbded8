# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What a shop with few events gains by beginning from another: ``python -m bench transfer [--source A --target B]``.

The training part of the target (by time, cut at .9) is thinned to a share of its people; everyone is asked, with their
own history. Each model is fitted on that share from nothing, and again beginning from what it learned on all of the
source (`fit --from`). The difference is paired by person.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from inkling import datasets, scenarios
from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine.learning import prepare as whole
from inkling.engine.pipeline import PIPELINES, Start, Trace
from inkling.evaluation.folder import prepare
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import Recommend, Result, measure
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.retrieval import RETRIEVERS

METRIC = "ndcg@10"
DEFAULT = "default"


@dataclass(frozen=True)
class Learned:
    """What one model learned on the source."""

    name: str
    given: Start | tuple[dict[str, Any], tuple[str, ...]]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.transfer", description=__doc__.split("\n\n")[0])
    parser.add_argument("--source", default="online-retail", help="a known data set's name (online-retail)")
    parser.add_argument("--target", default="musical-reviews", help="a known data set's name (musical-reviews)")
    parser.add_argument("--root", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--models", default=DEFAULT, help="default, or sequence models, by comma")
    parser.add_argument("--shares", default="0.01,0.1,1", help="shares of the target's people, by comma")
    parser.add_argument("--seeds", default="0", help="by comma")
    parser.add_argument("--people", type=int, default=1000, help="at most so many are asked")
    parser.add_argument("--set", action="append", default=[], help="a setting of the models, key=value")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    console = Console(width=130)
    fold = one_fold(options.target, options.root, options.people)
    settings = dict(pair.split("=", 1) for pair in options.set)
    rows: list[dict[str, Any]] = []
    for name in options.models.split(","):
        console.print(f"[dim]{name} learns {options.source} ...[/]", highlight=False)
        learned = learn(name, options.source, options.root, settings)
        for share in (float(word) for word in options.shares.split(",")):
            for seed in (int(word) for word in options.seeds.split(",")):
                rows.append(gain(learned, fold, share, seed, settings))
                console.print(f"[dim]{rows[-1]}[/]", highlight=False)
                keep(f"transfer-{options.source}-{options.target}", {"rows": rows}, out=options.out)
    console.print(table(rows, f"{options.source} -> {options.target}, seen {fold.seen}, {len(fold)} people"))
    return 0


def scenario_of(name: str, root: Path | None) -> tuple[Any, Scenario]:
    folder = datasets.load(name, root)
    return folder, scenarios.load(folder.info.scenario or scenarios.GENERAL)


def one_fold(name: str, root: Path | None, people: int) -> Fold:
    folder, scenario = scenario_of(name, root)
    events, scenario, tables = prepare(folder, scenario)
    spec = resolve(ProtocolSpec(), scenario)
    return sampled(split(events, scenario, tables, spec)[0], people, np.random.default_rng(0))


def learn(name: str, source: str, root: Path | None, settings: dict[str, Any]) -> Learned:
    """Fit a model on all of the source."""
    data, _ = whole(*scenario_of(source, root))
    model = made(name, settings).fit(data, Run())
    ids = tuple(data.item_ids)
    return Learned(name, Start(model.save(), ids) if name == DEFAULT else (dict(model.state()), ids))


def made(name: str, settings: dict[str, Any]) -> Any:
    kind = PIPELINES.get(name) if name == DEFAULT else RETRIEVERS.get(name)
    return kind(parse(kind.Config, settings, where=name))


def thinned(data: Dataset, share: float, seed: int) -> Dataset:
    """Return the data with a share of its people; those of a smaller share are among those of a larger one."""
    order = Run(seed=seed).rng("people").permutation(data.n_users)
    kept = order[: max(round(share * data.n_users), 1)]
    return replace(data, interactions=data.interactions.select(np.isin(data.interactions.user_rows, kept)))


def gain(learned: Learned, fold: Fold, share: float, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return one share's numbers: from nothing, from the source, and their difference by person."""
    data = thinned(fold.train, share, seed)
    row = {"model": learned.name, "share": share, "seed": seed, "events": len(data.interactions)}
    results: list[Result] = []
    for begins in (False, True):
        model = made(learned.name, settings)
        if begins:
            model = model.start(learned.given) if learned.name == DEFAULT else model.carry(*learned.given)
        begin = time.perf_counter()
        try:
            model.fit(data, Run(seed=seed))
        except DataError as error:
            return row | {"left_out": str(error)}
        row["from_s" if begins else "own_s"] = time.perf_counter() - begin
        if begins and learned.name == DEFAULT:
            row["validation"] = model.report().validation
        results.append(measure(fold, answers(model, learned.name), (METRIC,)))
    group = "warm" if "warm" in results[0].groups else next(iter(results[0].groups))
    own, other = (result.groups[group] for result in results)
    found = compare(other.values[METRIC], own.values[METRIC], own.user_rows).difference
    return row | {
        "own": own.mean(METRIC),
        "from": other.mean(METRIC),
        "gain": found.mean,
        "low": found.low,
        "high": found.high,
    }


def answers(model: Any, name: str) -> Recommend:
    return (lambda query, k: model.recommend(query, k, Trace())) if name == DEFAULT else model.retrieve


def table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    out = Table(title=title, title_justify="left")
    for name in (
        "model",
        "share of people",
        "seed",
        "events",
        "from nothing",
        "from the source",
        "gain",
        "95% interval",
    ):
        out.add_column(name, justify="left" if name == "model" else "right")
    for row in rows:
        start = (row["model"], f"{row['share']:.0%}", str(row["seed"]), f"{row['events']:,}")
        if "left_out" in row:
            out.add_row(*start, row["left_out"], "", "", "")
            continue
        change = f"{row['from'] / row['own'] - 1:+.1%}" if row["own"] else "-"
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        out.add_row(*start, f"{row['own']:.4f}", f"{row['from']:.4f}", f"{row['gain']:+.4f} ({change})", interval)
    return out


if __name__ == "__main__":
    raise SystemExit(main())
