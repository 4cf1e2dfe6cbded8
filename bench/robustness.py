# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How far models fall under noisy and poisoned feedback: ``python -m bench robustness [--data NAME]``.

Made-up profiles push an item that hardly anybody takes (random, average, bandwagon: Mobasher et al. 2007); others only
disturb (arbitrary profiles, arbitrary events inside real ones). For each share of them: NDCG@10 of honest people, and
the share of honest people who are shown the pushed item in their first 10. Everything again with the filter of made-up
profiles in front. Each seed pushes an item of its own.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from inkling import datasets, scenarios
from inkling.core.run import Run
from inkling.evaluation import models
from inkling.evaluation.contenders import Baseline, Contender
from inkling.evaluation.folder import prepare
from inkling.evaluation.poison import KINDS, Attack, poison
from inkling.evaluation.robustness import Fall, RobustnessReport, robustness
from inkling.events.profiles import suspicion, without_made_up
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split

MODELS = ("popular", "itemknn", "ease", "markov")
ROBUST = {"itemknn": {"max_influence": 5.0}, "ease": {"max_influence": 5.0}, "markov": {"max_influence": 5.0}}
"""Model -> the setting that caps what one person can do, where the model has it."""
FIXED = {"ease": {"max_items": 2500}}
SHARES = (0.01, 0.05, 0.10)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.robustness", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default="online-retail", help="a known data set's name (online-retail)")
    parser.add_argument("--root", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--models", default=",".join(MODELS), help="by comma")
    parser.add_argument("--attacks", default=",".join(KINDS), help="by comma")
    parser.add_argument("--shares", default=",".join(map(str, SHARES)), help="by comma")
    parser.add_argument("--seeds", default="0", help="by comma")
    parser.add_argument("--people", type=int, default=1000, help="at most so many honest people are asked")
    parser.add_argument("--seen", default="", help="keep or drop; default: as the scenario says")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    fold = one_fold(options.data, options.root, options.seen, options.people)
    attacks = [Attack(kind, float(share)) for kind in options.attacks.split(",") for share in options.shares.split(",")]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    console, kept = Console(width=140), {}
    console.print(f"{options.data}, {fold.name}, seen {fold.seen}: {len(fold)} people, seeds {seeds}")
    for title, clean in (("as it comes", None), ("with the filter of made-up profiles", without_made_up)):
        falls: list[Fall] = []
        for model in contenders(options.models.split(",")):
            console.print(f"[dim]{title}: {model.name} ...[/]", highlight=False)
            falls += robustness(fold, [model], attacks, seeds=seeds, run=Run(), clean=clean).falls
            kept[title] = msgspec.to_builtins(falls)
            keep(f"robustness-{options.data}", {"results": kept}, out=options.out)
        console.print(table(title, RobustnessReport(tuple(falls))))
    found = detection(fold, attacks, seeds)
    keep(f"robustness-{options.data}", {"results": kept, "filter": found}, out=options.out)
    console.print(filter_table(found))
    return 0


def one_fold(name: str, root: Path | None, seen: str, people: int) -> Fold:
    """Return the fold by time at .9."""
    folder = datasets.load(name, root)
    scenario = scenarios.load(folder.info.scenario or scenarios.GENERAL)
    events, scenario, tables = prepare(folder, scenario)
    spec = resolve(ProtocolSpec(seen=seen), scenario)
    return sampled(split(events, scenario, tables, spec)[0], people, np.random.default_rng(0))


def contenders(names: Sequence[str]) -> list[Contender]:
    """Return each model with its own settings, and beside it its robust form where it has one."""
    made: list[Contender] = []
    for name in names:
        model = models.BASELINES.get(name) or Baseline(name, name)
        model = replace(model, fixed={**model.fixed, **FIXED.get(name, {})}, grid=({},))
        made.append(model)
        robust = robust_form(model)
        made += [robust] if robust else []
    return made


def robust_form(model: Baseline) -> Baseline | None:
    """Return a model with the cap on each person's influence, or None where it has no such setting."""
    from inkling.retrieval import RETRIEVERS

    settings = ROBUST.get(model.name, {})
    known = RETRIEVERS.get(model.retriever).Config.__struct_fields__
    if not settings or not set(settings) <= set(known):
        return None
    return replace(model, name=f"{model.name}, capped", fixed={**model.fixed, **settings})


def table(title: str, report: RobustnessReport) -> Table:
    """Return a line for each model: its quality, and under each attack what is lost and how many see the item."""
    names = list(dict.fromkeys(fall.model for fall in report.falls))
    attacks = list(dict.fromkeys((fall.attack, fall.share) for fall in report.falls))
    made = Table(
        title=f"NDCG@10 of honest people {title}; in brackets who is shown the pushed item", title_justify="left"
    )
    made.add_column("attack")
    for name in names:
        made.add_column(name, justify="right")
    first = [report.of(name, *attacks[0]) for name in names]
    made.add_row("none", *(f"{fall.clean:.4f} ({fall.clean_hits:.1%})" for fall in first))
    for attack, share in attacks:
        falls = [report.of(name, attack, share) for name in names]
        made.add_row(f"{attack} {share:.0%}", *(f"{fall.change:+.1%} ({fall.hits:.1%})" for fall in falls))
    return made


def detection(fold: Fold, attacks: Sequence[Attack], seeds: Sequence[int]) -> list[dict[str, float | str]]:
    """Return for each attack the share of made-up people whom the filter finds, and of real ones whom it takes."""
    out: list[dict[str, float | str]] = []
    for attack in attacks:
        found, taken = [], []
        for seed in seeds:
            spoiled = poison(fold.train, attack, Run(seed=seed))
            events = spoiled.data.interactions
            judged = suspicion(events.user_rows[events.positive], events.item_rows[events.positive])
            gone = judged.user_rows[judged.made_up]
            fake = gone >= fold.train.n_users
            found.append(fake.sum() / max(len(spoiled.fakes), 1))
            taken.append((~fake).sum() / fold.train.n_users)
        row: dict[str, float | str] = {"attack": attack.kind, "share": attack.share}
        out.append(row | {"found": float(np.mean(found)), "real_people_taken": float(np.mean(taken))})
    return out


def filter_table(found: Sequence[dict[str, float | str]]) -> Table:
    """Return what the filter finds and what it takes by mistake."""
    made = Table(title="The filter of made-up profiles", title_justify="left")
    for name in ("attack", "made-up people found", "real people taken"):
        made.add_column(name, justify="left" if name == "attack" else "right")
    for row in found:
        made.add_row(f"{row['attack']} {row['share']:.0%}", f"{row['found']:.1%}", f"{row['real_people_taken']:.2%}")
    return made


if __name__ == "__main__":
    raise SystemExit(main())
