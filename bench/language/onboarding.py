# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What two or three questions tell of a new person: ``python -m bench language onboarding``.

Films (movielens-small), five cuts by time or ``--split loo``. Everybody's history is hidden; a person answers as their
own training events would, and the answers become the history that a collaborative model answers from. Beside it
``popular``. Films that the person has seen are left out of everybody's answers alike. The questions are chosen from the
training events of a random half of the people, who are not asked.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.language.sentence import laid_out
from inkling.core.arrays import F64
from inkling.core.candidates import Candidates
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.engine.onboarding import Onboarding
from inkling.protocol.fold import Fold, Group, sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.retrieval import build

METRIC, MODELS = "ndcg@10", {"itemknn": {}, "ease": {"l2": 300.0, "max_items": 2500}}
MOST = 3


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.onboarding", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", default="0,1,2", help="of the halves of people and the questions, by comma")
    parser.add_argument("--split", default="loo", help="loo, or time with five cuts (loo)")
    parser.add_argument("--data", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--quick", action="store_true", help="30 people: no number of it counts")
    parser.add_argument("--validate", action="store_true", help="measure on the validation part")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    console = Console(width=120)
    folds = [fold.validation if options.validate else fold for fold in laid_out(options)]
    rows: dict[str, list[F64]] = {}
    people = []
    for seed in (int(word) for word in options.seeds.split(",")):
        for fold in (fold for fold in folds if fold is not None):
            found, asked = one(fold, Run(seed=seed), console)
            people.append(asked)
            for name, values in found.items():
                rows.setdefault(name, []).append(values)
            means = {name: float(np.concatenate(parts).mean()) for name, parts in rows.items()}
            name = "language-onboarding" + ("-quick" if options.quick else "")
            keep(name, {"split": options.split, "means": means, "seeds": options.seeds}, out=options.out)
    console.print(table({name: np.concatenate(parts) for name, parts in rows.items()}, np.concatenate(people)))
    return 0


def one(fold: Fold, run: Run, console: Console) -> tuple[dict[str, F64], Any]:
    """Return NDCG@10 of the half that is asked, after no question and after each, and who they are."""
    half = run.rng("onboarding", "half").permutation(fold.train.n_users)[: fold.train.n_users // 2]
    events = fold.train.interactions
    others = replace(fold.train, interactions=events.select(~np.isin(events.user_rows, half)))
    inside = np.flatnonzero(np.isin(fold.user_rows, half))
    asked = sampled(_only(fold, inside), 2000, np.random.default_rng(0))
    questions = Onboarding.fit(others, run)
    first = questions.ask()
    if first is not None:
        console.print(f"[dim]{fold.name}: {first.text} {[option.label for option in first.options]}[/]")
    popular = build("popular", {"half_life_days": 0.0}).fit(others, run)
    found = {"popular": _values(asked, popular, popular, questions, 0)}
    for name, settings in MODELS.items():
        model = build(name, settings).fit(others, run)
        for n in range(1, MOST + 1):
            found[f"{name}, {n} answered"] = _values(asked, model, popular, questions, n)
    return found, asked.user_rows


def _only(fold: Fold, positions: Any) -> Fold:
    from inkling.protocol.fold import take_lists

    return replace(
        fold,
        user_rows=fold.user_rows[positions],
        targets=take_lists(fold.targets, positions),
        now=fold.now[positions],
        groups={},
    )


def _values(fold: Fold, model: Any, popular: Any, questions: Onboarding, n: int) -> F64:
    """Return NDCG@10 by person after ``n`` answers; where they say nothing, popularity does."""

    def recommend(query: Query, k: int) -> Candidates:
        own = query.history
        parts = [own.item_rows[begin:end] for begin, end in zip(own.offsets[:-1], own.offsets[1:], strict=True)]
        bare = replace(query, user_rows=np.full(len(query), -1, np.int32), history=History.empty(len(query)))
        if n == 0:
            return popular.retrieve(bare, k)
        answers = [questions.answer(part, questions=n) for part in parts]
        told = replace(bare, history=questions.history(answers, now=int(query.now.max())))
        return filled(model.retrieve(told, k), popular.retrieve(bare, k), k)

    everyone = replace(fold, groups={"all": Group(np.arange(len(fold)), fold.targets)})
    return measure(everyone, recommend, (METRIC,)).groups["all"].values[METRIC]


def filled(answer: Candidates, rest: Candidates, k: int) -> Candidates:
    """Return each person's answer, filled up to k with what is popular."""
    offsets, rows = [0], []
    for person in range(len(answer)):
        own = answer.rows_of(person)
        more = rest.rows_of(person)
        rows.append(np.concatenate([own, more[~np.isin(more, own)]])[:k])
        offsets.append(offsets[-1] + len(rows[-1]))
    scores = np.concatenate([np.arange(len(part), 0, -1, dtype=np.float32) for part in rows])
    return Candidates.of(np.array(offsets), np.concatenate(rows).astype(np.int32), scores, source="onboarding")


def table(values: dict[str, F64], people: Any) -> Table:
    """Return a line for each number of questions, paired by person with ``popular``."""
    made = Table(title=f"movielens-small: {len(people)} new people, asked", title_justify="left")
    for name in ("", "NDCG@10", "beside popular", "95% interval"):
        made.add_column(name, justify="right" if name else "left")
    for name, own in values.items():
        gap = compare(own, values["popular"], people).difference
        made.add_row(name, f"{own.mean():.4f}", f"{gap.mean:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}")
    return made


if __name__ == "__main__":
    raise SystemExit(main())
