# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What a model finds for a person known by one sentence alone: ``python -m bench language sentence``.

Films (movielens-small). The sentence is written from the profile of a person's training events; the held-out events are
to be found among all films that the person has not seen. People are asked in four parts, and what answers a part was
fitted without the events of its people: nothing of them is known but the sentence. The split is ``loo`` by default,
which has some 670 people with one target each; ``--split time`` pools five cuts with some 20 people each. Settings of
all, ``popular`` too, are chosen on the validation part.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from inkling import datasets, scenarios
from inkling.core.arrays import F64, I32, I64
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.engine.sentences import ABOUT, Sentences
from inkling.engine.texts import TextReader
from inkling.evaluation.folder import prepare
from inkling.language.profiles import person_profiles, person_sentence
from inkling.protocol.fold import Fold, Group, sampled, take_lists
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.retrieval import build
from inkling.retrieval.aligned import Aligned, AlignedConfig
from inkling.retrieval.semantic import Semantic, SemanticConfig

DATA, METRIC, ENCODER = "movielens-small", "ndcg@10", "auto"
PARTS = 4
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
_EASE = {"l2": 300.0, "max_items": 2500}
GRIDS: dict[str, tuple[dict[str, Any], ...]] = {
    "popular": ({"half_life_days": 0.0}, {"half_life_days": 365.0}, {"half_life_days": 60.0}),
    "semantic": ({},),
    "aligned": (
        {"warm": "itemknn", "text_popularity": 3.0},
        {"warm": "itemknn", "text_popularity": 10.0},
        {"warm": "ease", "settings": _EASE, "text_popularity": 3.0},
        {"warm": "ease", "settings": _EASE, "text_popularity": 10.0},
    ),
    "engine": ({"l2": 300.0, "max_items": 2500},),
}


class Engine:
    """How the engine answers such people: by ``engine/sentences``, with ``ease`` for the titles that are named."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._near = build("ease", settings)

    def fit(self, data: Any, run: Run) -> Any:
        """Learn from everybody's sentences and events."""
        self._near.fit(data, run)
        self._made = Sentences.fit(data, TextReader(ENCODER).ask, run)
        return self

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the first k of each person."""
        told = replace(query, text_vectors={ABOUT: query.text_vectors[ENCODER]})
        return self._made.instead(told, Candidates.empty(len(query)), k=k, near=self._near.scores).top(k)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.sentence", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", default="0,1,2", help="by comma")
    parser.add_argument("--split", default="loo", help="loo, or time with five cuts (loo)")
    parser.add_argument("--models", default=",".join(GRIDS), help="by comma (all); popular is always among them")
    parser.add_argument("--language", default="en", help="of the sentences: en or zh")
    parser.add_argument("--data", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--quick", action="store_true", help="30 people, nothing is chosen: no number of it counts")
    parser.add_argument("--validate", action="store_true", help="print what the settings do on validation, and end")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    console = Console(width=120)
    asked_for = {"popular", *options.models.split(",")}
    grids = {name: grid for name, grid in GRIDS.items() if name in asked_for}
    folds = list(laid_out(options))
    named = chosen(folds[-1], grids, options, console)
    if options.validate:
        return 0
    results: dict[str, Any] = {"split": options.split, "settings": named, "people": sum(map(len, folds))}
    values: dict[str, list[F64]] = {name: [] for name in grids}
    for seed in (int(word) for word in options.seeds.split(",")):
        for name, settings in named.items():
            found = [asked(fold, name, settings, options, Run(seed=seed)) for fold in folds]
            values[name].append(np.concatenate([value for value, _ in found]))
            results[f"{name}/{seed}"] = float(values[name][-1].mean())
            console.print(f"[dim]{name}, seed {seed}: {results[f'{name}/{seed}']:.4f}[/]", highlight=False)
            keep("language-sentence" + ("-quick" if options.quick else ""), results, out=options.out)
    people = np.concatenate([fold.user_rows for fold in folds])
    console.print(table(values, people, f"{DATA}, {options.split}: {len(people)} people known by a sentence"))
    return 0


def laid_out(options: argparse.Namespace) -> Iterator[Fold]:
    """Yield the folds."""
    folder = datasets.load(DATA, options.data)
    scenario = scenarios.load(folder.info.scenario or scenarios.GENERAL)
    events, scenario, tables = prepare(folder, scenario)
    spec = resolve(ProtocolSpec(split=options.split, cuts=CUTS), scenario)
    for fold in split(events, scenario, tables, spec):
        group = fold.groups["warm"]
        known = replace(
            fold, user_rows=fold.user_rows[group.people], targets=group.targets, now=fold.now[group.people], groups={}
        )
        yield sampled(known, 30 if options.quick else 5000, np.random.default_rng(0))


def chosen(
    fold: Fold, grids: Mapping[str, Sequence[dict[str, Any]]], options: argparse.Namespace, console: Console
) -> dict[str, dict[str, Any]]:
    """Return the settings of each model that do best on the validation part."""
    validation = fold.validation
    if options.quick or validation is None:
        return {name: grid[0] for name, grid in grids.items()}
    validation = sampled(validation, 600, np.random.default_rng(0))
    out = {}
    for name, grid in grids.items():
        values = [float(asked(validation, name, one, options, Run())[0].mean()) for one in grid]
        out[name] = grid[int(np.argmax(values))]
        for one, value in zip(grid, values, strict=True):
            console.print(f"[dim]validation: {name} {one}: {value:.4f}[/]", highlight=False)
    return out


def asked(
    fold: Fold, name: str, settings: dict[str, Any], options: argparse.Namespace, run: Run
) -> tuple[F64, list[str]]:
    """Return each person's NDCG@10, and the sentences that they were known by."""
    sentences = told(fold, options.language)
    vectors = TextReader(ENCODER).ask(sentences)
    place = np.full(fold.train.n_users, -1, np.int64)
    place[fold.user_rows] = np.arange(len(fold))
    values = np.zeros(len(fold))
    for own in parts(fold):
        train = fold.train
        events = train.interactions.select(~np.isin(train.interactions.user_rows, fold.user_rows[own]))
        model = make(name, settings).fit(replace(train, interactions=events), run)

        def recommend(query: Query, k: int, model: Any = model) -> Candidates:
            rows = place[query.user_rows]
            said = replace(hidden(query, vectors[rows]), texts=tuple(sentences[row] for row in rows.tolist()))
            found: Candidates = model.retrieve(said, k)
            return found

        part = replace(fold, user_rows=fold.user_rows[own], targets=take_lists(fold.targets, own), now=fold.now[own])
        part = replace(part, groups={"all": _everybody(part)})
        values[own] = measure(part, recommend, (METRIC,)).groups["all"].values[METRIC]
    return values, sentences


def parts(fold: Fold) -> list[I64]:
    """Return the positions of people in four parts."""
    people = np.arange(len(fold))
    return [people[people % PARTS == part] for part in range(PARTS)]


@cache
def told(fold: Fold, language: str) -> list[str]:
    """Return what each person of a fold would say of themselves."""
    return [person_sentence(one, language) for one in person_profiles(fold.train, fold.user_rows)]


def _everybody(fold: Fold) -> Group:
    return Group(np.arange(len(fold)), fold.targets)


def hidden(query: Query, vectors: Any) -> Query:
    """Return the question without history and identity, and with a sentence; what was seen stays excluded."""
    nobody: I32 = np.full(len(query), -1, np.int32)
    return replace(query, history=History.empty(len(query)), user_rows=nobody, text_vectors={ENCODER: vectors})


def make(name: str, settings: dict[str, Any]) -> Any:
    """Return a model that is not fitted."""
    if name == "engine":
        return Engine(settings)
    if name == "semantic":
        return Semantic(parse(SemanticConfig, settings), encoder=TextReader(ENCODER))
    if name == "aligned":
        return Aligned(parse(AlignedConfig, settings), encoder=TextReader(ENCODER))
    return build(name, settings)


def table(values: dict[str, list[F64]], people: I32, title: str) -> Table:
    """Return a line for each model, paired by person with ``popular``, and whether it is above it."""
    made = Table(title=title, title_justify="left")
    for name in ("model", "NDCG@10", "over seeds", "beside popular", "95% interval", "goal: above popular"):
        made.add_column(name, justify="left" if name == "model" else "right")
    base = np.mean(values["popular"], axis=0)
    for name, seeds in values.items():
        own, spread = np.mean(seeds, axis=0), float(np.std([one.mean() for one in seeds]))
        gap = compare(own, base, people).difference
        word = "-" if name == "popular" else "REACHED" if gap.low > 0 else "within the interval" if gap.mean > 0 else ""
        cells = (f"{own.mean():.4f}", f"{spread:.4f}", f"{gap.mean:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}")
        made.add_row(name, *cells, word or "MISSED")
    return made


if __name__ == "__main__":
    raise SystemExit(main())
