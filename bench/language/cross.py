# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""A cross encoder behind the fast ranker, and as its teacher: NDCG@10 of 50 candidates, milliseconds beside it.

Leave one out, no refit, seen dropped. Four retrievers make candidates; ``gbdt`` orders them by their scores and places
(the fast ranker). Both rankers learn from each person's last choices inside the training part, which the retrievers did
not see then. The cross encoder reads the first 50 of the fast order. Teaching: two cross encoders, each fitted on half
of the people, grade the lists of the other half, and ``gbdt`` learns those labels. Each seed is kept.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.quality._command import public
from bench.quality._one import lay_out
from bench.quality._results import Place, Result, read, write
from bench.quality._tasks import Task
from inkling.core.arrays import F32, I64
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine.texts import TextReader
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.ranking import build, teach
from inkling.ranking.base import RankingSet
from inkling.retrieval import RETRIEVERS

TASKS = {name: Task(name, name, "drop", split="loo") for name in ("movielens-small", "beauty")}
METRIC = "ndcg@10"
VARIANTS = ("fast", "cross", "taught")
MEMBERS: Mapping[str, Mapping[str, Any]] = {
    "ease": {"max_items": 4000},
    "itemknn": {},
    "semantic": {"encoder": "auto"},
    "popular": {"half_life_days": 0.0},
}
FAST: Mapping[str, Any] = {"trees": 150, "learning_rate": 0.05, "min_examples": 30}
CROSS: Mapping[str, Any] = {
    "max_tokens": 64, "max_item_characters": 80, "left_each": 7, "lists": 8, "epochs": 3, "learning_rate": 1e-4,
    "template": "titles", "int8": True, "dropout": 0.05,
}  # fmt: skip
SHARE, GRADES = 0.3, 4
LAST, WIDE, READ, TAUGHT = 6, 100, 50, 20
"""A person's last choices to learn from; candidates; of them read by the cross encoder; and graded by the teacher."""


@dataclass(frozen=True)
class Stack:
    """Retrievers fitted on a part."""

    models: Mapping[str, Any]
    popularity: F32

    @classmethod
    def fit(cls, data: Dataset, run: Run) -> Stack:
        """Fit all members."""
        models = {}
        for name, settings in MEMBERS.items():
            kind = RETRIEVERS.get(name)
            config = parse(kind.Config, dict(settings), where=name)
            made = kind(config, encoder=TextReader("auto")) if name == "semantic" else kind(config)
            models[name] = made.fit(data, run)
        taken = data.interactions.item_rows[data.interactions.positive]
        return cls(models, np.bincount(taken, minlength=data.n_items).astype(np.float32))

    def candidates(self, query: Query) -> Candidates:
        """Return the best of all members by reciprocal ranks, with each member's score and place as columns."""
        found = {name: model.retrieve(query, WIDE) for name, model in self.models.items()}
        parts = [self._of(found, person, query.n_items) for person in range(len(query))]
        offsets = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in parts])]).astype(np.int64)
        columns = {key: np.concatenate([one[key] for _, one in parts]) for key in parts[0][1]}
        rows = np.concatenate([rows for rows, _ in parts]).astype(np.int32)
        told = np.log1p(np.diff(query.history.offsets)).astype(np.float32)
        items = Candidates.of(offsets, rows, columns["fused"], source="stack")
        return items.with_fields({**columns, "n_history": told[items.segment_rows]})

    def _of(self, found: Mapping[str, Candidates], person: int, n_items: int) -> tuple[Any, dict[str, F32]]:
        fused = np.zeros(n_items, dtype=np.float32)
        for each in found.values():
            rows = each.rows_of(person)
            fused[rows] += 1 / (30 + np.arange(len(rows), dtype=np.float32))
        rows = np.argsort(-fused, kind="stable")[:WIDE]
        rows = rows[fused[rows] > 0]
        columns: dict[str, F32] = {"fused": fused[rows], "popularity": np.log1p(self.popularity[rows])}
        for name, each in found.items():
            scores, places = np.full(n_items, np.nan, np.float32), np.full(n_items, np.nan, np.float32)
            own = each.rows_of(person)
            scores[own], places[own] = each.scores_of(person), np.arange(len(own))
            columns |= {f"{name}.score": scores[rows], f"{name}.place": places[rows]}
        return rows, columns


def lessons(train: Dataset, run: Run, n_people: int) -> RankingSet:
    """Return candidates of the moments before each person's last choices, by retrievers that did not see these."""
    events = train.interactions
    order = np.argsort(events.user_rows, kind="stable")
    order = order[events.positive[order]]
    people, starts = np.unique(events.user_rows[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    able = np.flatnonzero(ends - starts > LAST + 2)
    chosen = np.sort(run.rng("people").permutation(able)[:n_people])
    held = np.zeros(len(events), dtype=np.bool_)
    for at in able.tolist():
        held[order[ends[at] - LAST : ends[at]]] = True
    # What follows a held out choice is held out too, so that a history ends where its question begins.
    first = np.full(train.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, events.user_rows[held], np.flatnonzero(held))
    early = np.arange(len(events)) < first[events.user_rows]
    stack = Stack.fit(replace(train, interactions=events.select(early)), run)
    sets = []
    for back in range(1, LAST + 1):
        targets = order[ends[chosen] - back]
        limit = np.zeros(train.n_users, dtype=np.int64)
        limit[people[chosen]] = targets
        known = events.select(np.arange(len(events)) < limit[events.user_rows])
        rows = people[chosen].astype(np.int32)
        history = known.histories(rows)
        query = Query(
            history,
            history.ts[history.offsets[1:] - 1] + 1,  # as the split asks: right after the last event that is known
            train.n_items,
            rows,
            allowed=train.known_items,
            exclude=Jagged(history.offsets, history.item_rows),
        )
        items = stack.candidates(query)
        labels = (items.item_rows == events.item_rows[targets][items.segment_rows]).astype(np.float32)
        sets.append(RankingSet(query, items, labels))
    return RankingSet.join(sets)


def halves(data: RankingSet) -> list[I64]:
    """Return the positions of two halves of the people, each person on one side with all of their moments."""
    side = data.query.user_rows % 2
    return [np.flatnonzero(side == one) for one in (0, 1)]


def cross(
    data: RankingSet, told: argparse.Namespace, run: Run, texts: tuple[list[str], list[str]], share: float
) -> Any:
    """Return a cross encoder fitted on lists in the fast order."""
    seconds = 15.0 if told.quick else 60.0 * told.minutes * share
    settings = {**CROSS, "max_seconds": seconds, "n_threads": told.threads, "top": READ}
    model = build("cross_encoder", settings)
    model.read(np.arange(len(texts[0]), dtype=np.int32), *texts)
    return model.fit(data, run)


def in_order(fast: Any, data: RankingSet, k: int) -> RankingSet:
    """Return the first ``k`` of each list in the fast order, labels moved along."""
    items = data.candidates.with_fields({"label": data.labels})
    ranked = fast.score(data.query, items).top(k)
    labels = ranked.fields["label"].astype(np.float32)
    fields = {name: column for name, column in ranked.fields.items() if name != "label"}
    return RankingSet(data.query, replace(ranked, fields=fields), labels)


def with_answer(data: RankingSet) -> RankingSet:
    """Return the people whose answer is among their candidates."""
    lengths = np.bincount(data.candidates.segment_rows, data.labels, len(data.candidates))
    return data.take(np.flatnonzero(lengths > 0))


def apart(data: RankingSet, run: Run) -> list[tuple[RankingSet, Any]]:
    """Return each half of the people with the fast ranker that learned from the other half.

    What a ranker says of lists that it learned from is surer than what it says of new ones; whoever learns behind it
    would trust it too much.
    """
    parts = [data.take(own) for own in halves(data)]
    fasts = [build("gbdt", dict(FAST)).fit(with_answer(part), run) for part in parts]
    return list(zip(parts, fasts[::-1], strict=True))


def taught(sides: list[tuple[RankingSet, Any]], told: argparse.Namespace, run: Run, texts: Any, most: int) -> Any:
    """Return the fast ranker after each half of the people was graded by a teacher of the other.

    Lists with an answer are graded first, and then those without, of which the teacher's word is all there is; what is
    not graded keeps its clicks.
    """
    parts: list[RankingSet] = []
    for (own, behind), (other, before) in (sides, sides[::-1]):
        teacher = cross(with_answer(in_order(behind, own, READ)), told, run, texts, 0.5)
        answered = other.candidates.segment_rows[other.labels > 0]
        order = run.rng("graded").permutation(len(other.query))
        order = np.concatenate([order[np.isin(order, answered)], order[~np.isin(order, answered)]])
        asked, rest = other.take(np.sort(order[: most // 2])), other.take(np.sort(order[most // 2 :]))
        graded = teach(in_order(before, asked, TAUGHT), teacher, share=SHARE, grades=GRADES)
        parts += [spread(asked, graded), replace(rest, labels=in_grades(rest.labels * (1 - SHARE)))]
    return build("gbdt", {**FAST, "grades": GRADES}).fit(RankingSet.join(parts), run)


def spread(whole: RankingSet, graded: RankingSet) -> RankingSet:
    """Return the whole lists with the labels of their graded first places; what stands below keeps 0, or its click."""
    n = int(max(whole.candidates.item_rows.max(), graded.candidates.item_rows.max())) + 1
    keys = whole.candidates.segment_rows * n + whole.candidates.item_rows
    own = graded.candidates.segment_rows * n + graded.candidates.item_rows
    labels = whole.labels * (1 - SHARE)
    place = {key: at for at, key in enumerate(own.tolist())}
    found = np.array([place.get(key, -1) for key in keys.tolist()])
    labels = np.where(found >= 0, graded.labels[np.maximum(found, 0)], labels)
    return replace(whole, labels=in_grades(labels))


def in_grades(labels: F32) -> F32:
    """Return labels in the steps that ``gbdt`` is told of."""
    return np.asarray(np.rint(labels * GRADES) / GRADES, dtype=np.float32)


def one(task: str, seed: int, told: argparse.Namespace) -> dict[str, Result]:
    """Measure all variants with one seed."""
    setting = lay_out(TASKS[task], public(told.data), (seed,), quick=told.quick)
    run = Run(seed=seed, n_threads=told.threads)
    fold = sampled(setting.folds[0], 60 if told.quick else told.people, np.random.default_rng(0))
    frame = fold.train.items.frame
    texts = ([str(title or "") for title in frame["title"].to_list()], fold.train.items.texts())
    data = lessons(fold.train, run, 60 if told.quick else 1000)
    fast = build("gbdt", dict(FAST)).fit(with_answer(data), run)
    begin = time.perf_counter()
    sides = apart(data, run)
    lists = RankingSet.join([in_order(behind, part, READ) for part, behind in sides])
    reader = cross(with_answer(lists), told, run, texts, 1.0)
    fit_s = time.perf_counter() - begin
    student = taught(sides, told, run, texts, 60 if told.quick else told.graded)
    stack = Stack.fit(fold.train, run)
    models = {"fast": [fast], "cross": [fast, reader], "taught": [student]}
    about: dict[str, Any] = {"metrics": [METRIC], "n_lists": len(with_answer(data).query), "fit_s": fit_s}
    found = {}
    for name, steps in models.items():
        result = measure(fold, lambda query, k, steps=steps: answer(stack, steps, query, k), (METRIC,))
        warm = result.groups["warm"]
        own = about | {"ms": milliseconds(stack, steps, fold, told)}
        found[name] = Result(own, {"warm": (warm.user_rows, warm.values[METRIC][:, None])})
    return found


def answer(stack: Stack, steps: Sequence[Any], query: Query, k: int) -> Candidates:
    """Return what the stack finds, ordered by each ranker in turn."""
    items = stack.candidates(query)
    for step in steps:
        items = step.score(query, items.top(WIDE))
    return items.top(k)


def milliseconds(stack: Stack, steps: Sequence[Any], fold: Fold, told: argparse.Namespace) -> float:
    """Return the median milliseconds that ordering one person's candidates takes, with their columns there."""
    spent = []
    for person in range(min(len(fold), 5 if told.quick else 30)):
        query = fold.query(np.array([person]))
        items = stack.candidates(query)
        begin = time.perf_counter()
        for step in steps:
            items = step.score(query, items)
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent)) * 1000


def place(told: argparse.Namespace, task: str, variant: str, seed: int) -> Place:
    """Return where a step is kept."""
    return Place(told.out / "language", f"cross-{'quick' if told.quick else 'full'}-{task}", variant, seed)


def steps(task: str, seed: int, told: argparse.Namespace) -> dict[str, Result]:
    """Return one kept seed, measured where it is not there yet."""
    kept = {name: read(place(told, task, name, seed)) for name in VARIANTS}
    if not told.fresh and all(one is not None for one in kept.values()):
        return {name: one for name, one in kept.items() if one is not None}
    found = one(task, seed, told)
    for name, result in found.items():
        write(place(told, task, name, seed), result)
    return found


def summed(found: Sequence[Mapping[str, Result]]) -> dict[str, Any]:
    """Return each variant's number, and its difference from the fast ranker, paired by person."""
    rows = found[0]["fast"].values["warm"][0]
    values = {name: np.mean([one[name].values["warm"][1][:, 0] for one in found], axis=0) for name in VARIANTS}
    gaps = {name: compare(values[name], values["fast"], rows).difference for name in VARIANTS[1:]}
    return {
        "n": len(rows),
        "n_lists": found[0]["fast"].about["n_lists"],
        "fit_s": float(np.mean([one["cross"].about["fit_s"] for one in found])),
        "means": {name: float(each.mean()) for name, each in values.items()},
        "ms": {name: float(np.mean([one[name].about["ms"] for one in found])) for name in VARIANTS},
        "difference": {name: [gap.mean, gap.low, gap.high] for name, gap in gaps.items()},
        "reached": {name: bool(gap.mean > 0) for name, gap in gaps.items()},
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.cross", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default="movielens-small", help=f"by comma (movielens-small), of {', '.join(TASKS)}")
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--minutes", type=float, default=6.0, help="of training of the cross encoder (6)")
    parser.add_argument("--people", type=int, default=700, help="at most so many are asked (700)")
    parser.add_argument("--graded", type=int, default=1200, help="lists that the teachers grade (1200)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores of training and reading (all)")
    parser.add_argument("--quick", action="store_true", help="60 people, seconds of training: does it run?")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument(
        "--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual one"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    console, found = Console(width=130), {}
    for task in told.tasks.split(","):
        kept = []
        for seed in (int(seed) for seed in told.seeds.split(",")):
            kept.append(steps(task, seed, told))
            numbers = ", ".join(f"{n} {one.values['warm'][1].mean():.4f}" for n, one in kept[-1].items())
            console.print(f"{task}, seed {seed}: {METRIC} {numbers}", highlight=False)
        found[task] = summed(kept)
        keep("language-cross", {"tasks": found, "minutes": told.minutes, "threads": told.threads}, out=told.out)
    show(found, console)
    return 0


def show(found: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print the numbers and the verdicts."""
    table = Table(title=f"the cross encoder behind the fast ranker, and as its teacher: {METRIC}")
    for name in ("data", "ranker", METRIC, "against fast", "95% interval", "ms"):
        table.add_column(name, justify="left" if name in ("data", "ranker") else "right", no_wrap=True)
    for task, row in found.items():
        for name, mean in row["means"].items():
            gap = row["difference"].get(name)
            told = ("-", "-") if gap is None else (f"{gap[0]:+.4f}", f"{gap[1]:+.4f} {gap[2]:+.4f}")
            table.add_row(task, name, f"{mean:.4f}", *told, f"{row['ms'][name]:.2f}")
    console.print(table)
    for task, row in found.items():
        for name, said in (("cross", "the cross encoder"), ("taught", "the fast ranker taught by it")):
            beyond = ", beyond the interval" if row["difference"][name][1] > 0 else ", within the interval"
            outcome = f"reached{beyond}" if row["reached"][name] else "MISSED"
            console.print(f"{task}: {said} above the fast ranker: {outcome}")


if __name__ == "__main__":
    raise SystemExit(main())
