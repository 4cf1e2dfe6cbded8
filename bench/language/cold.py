# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How well items without events are found: ``python -m bench language cold [--sets questions --seeds 0,1,2]``.

The cold split: items of each fold leave every event, and are then to be found among all items, and among the held-out
ones. ``aligned`` (closed form, learned, VQ-VAE) beside neighbours by MiniLM and by TF-IDF and beside its own
collaborative model without the extension, which tells what warm items pay. Settings are chosen on the validation part
of each set's first fold of items: kNN by cold NDCG@10 among all items, the collaborative model by warm NDCG@10;
``aligned`` chooses nothing there, it simulates cold items inside its fit. Kept fold by fold: an ended command goes on.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.language._tfidf import TfIdf
from inkling import datasets, scenarios
from inkling.core.config import parse
from inkling.core.run import Run
from inkling.engine.texts import TextReader
from inkling.evaluation.folder import prepare
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.measure import latency, measure
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.retrieval import build
from inkling.retrieval.aligned import Aligned, AlignedConfig
from inkling.retrieval.semantic import Semantic, SemanticConfig

METRIC = "ndcg@10"
GROUPS = ("cold", "cold_among_cold", "warm")
READINGS = ({}, {"half_life_days": 0.0}, {"half_life_days": 30.0, "fade": 0.9}, {"half_life_days": 0.0, "fade": 0.7})
NEIGHBOURS = ("tfidf", "minilm", "semantic")
"""kNN by words, by the frozen MiniLM, and by MiniLM with spelling (``auto``)."""
OURS = ("aligned", "aligned-learned", "aligned-vqvae", "aligned-shown")
"""The last is ``aligned`` where cold items may cost warm ones a third: what it takes to see them among all."""
_OF_OURS: dict[str, dict[str, Any]] = {
    "aligned": {},
    "aligned-learned": {"method": "learned"},
    "aligned-vqvae": {"method": "vqvae"},
    "aligned-shown": {"price": 0.33},
}
_AGAIN = {"own": 10.0, "repeats": "session", "half_life_days": 60.0}
_CHAIN = {"own": 0.0, "decay": 0.6, "ahead_decay": 0.8, "backwards": 0.3, "popularity": 0.2, "origin": 0.4}
_EASE = {"l2": 300.0, "signal": "log", "own": 0.3, "repeats": "session", "half_life_days": 60.0, "max_items": 4000}


@dataclass(frozen=True)
class Subject:
    """A data set, its cuts, and the collaborative models that are tried on validation."""

    data: str
    bases: tuple[dict[str, Any], ...]
    cuts: tuple[float, ...] = (0.9,)


_KNN, _KNN_AGAIN = {"warm": "itemknn"}, {"warm": "itemknn", "settings": _AGAIN}
SUBJECTS = (
    Subject("questions", (_KNN_AGAIN, _KNN, {"warm": "ease", "settings": _EASE})),
    Subject("movielens-small", (_KNN, {"warm": "markov"}), (0.5, 0.6, 0.7, 0.8, 0.9)),
    Subject("online-retail", (_KNN_AGAIN, {"warm": "ease", "settings": _EASE}, {"warm": "markov"})),
    Subject("beauty", ({"warm": "markov", "settings": _CHAIN}, {"warm": "markov"}, _KNN)),
)
GOALS = {"among all": 2.0, "among held-out": 1.3, "warm": 0.01}


@dataclass
class Book:
    """Results as they come: one entry for each set, method, seed and fold."""

    path: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, name: str, out: Path, *, fresh: bool) -> Book:
        """Read what was kept before, unless all is measured again."""
        path = out / f"{name}.json"
        found = json.loads(path.read_text(encoding="utf-8"))["entries"] if path.exists() and not fresh else {}
        return cls(path, found)

    def write(self, key: str, entry: dict[str, Any]) -> None:
        """Keep one entry."""
        self.entries[key] = entry
        keep(self.path.stem, {"entries": self.entries}, out=self.path.parent)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.cold", description=__doc__.split("\n\n")[0])
    parser.add_argument("--sets", default=",".join(one.data for one in SUBJECTS), help="by comma")
    parser.add_argument("--methods", default=",".join((*NEIGHBOURS, "base", *OURS)), help="by comma")
    parser.add_argument("--seeds", default="0,1,2", help="by comma; kNN and the base draw nothing and have one")
    parser.add_argument("--seen", default="", help="keep or drop; default: as the scenario says")
    parser.add_argument("--data", type=Path, help="folder of the public data sets; default: INKLING_DATA")
    parser.add_argument("--people", type=int, default=5000, help="at most so many are asked of each fold (5000)")
    parser.add_argument("--quick", action="store_true", help="one fold, 60 people, 3 epochs: no number counts")
    parser.add_argument("--fresh", action="store_true", help="measure again what was kept")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    console = Console(width=130)
    name = "language-cold" + (f"-{options.seen}" if options.seen else "") + ("-quick" if options.quick else "")
    book = Book.open(name, options.out, fresh=options.fresh)
    for subject in SUBJECTS:
        if subject.data in options.sets.split(","):
            fill(book, subject, options, console)
            console.print(table(book, subject.data))
            console.print("\n".join(verdicts(book, subject.data)), highlight=False)
    return 0


def fill(book: Book, subject: Subject, options: argparse.Namespace, console: Console) -> None:
    """Measure what is not in the book yet."""
    pairs = list(folds(subject, options))
    for method in options.methods.split(","):
        drawn = method in OURS
        seeds = [int(word) for word in options.seeds.split(",")][: None if drawn and not options.quick else 1]
        for seed in seeds:
            for hidden, among in pairs:
                key = f"{subject.data}/{method}/{seed}/{hidden.name}"
                if key in book.entries:
                    continue
                settings = chosen(book, subject, method, pairs[0][0], options)
                entry = one(make(method, settings, options), (hidden, among), Run(seed=seed))
                book.write(key, entry)
                said = {group: round(entry[group]["mean"], 4) for group in GROUPS if group in entry}
                console.print(f"[dim]{key}: {said}, {entry['fit_s']:.0f} s to fit[/]", highlight=False)


def folds(subject: Subject, options: argparse.Namespace) -> Iterator[tuple[Fold, Fold]]:
    """Yield for each fold of items that among all items, and that among the held-out ones."""
    folder = datasets.load(subject.data, options.data)
    scenario = scenarios.load(folder.info.scenario or scenarios.GENERAL)
    events, scenario, tables = prepare(folder, scenario)
    spec = resolve(ProtocolSpec(split="cold", cuts=subject.cuts, seen=options.seen), scenario)
    found = split(events, scenario, tables, spec)
    most = 60 if options.quick else options.people
    for number in range(0, 3 if options.quick else len(found), 3):
        hidden, among = found[number : number + 2]
        yield tuple(sampled(fold, most, np.random.default_rng(0)) for fold in (hidden, among))


def chosen(book: Book, subject: Subject, method: str, fold: Fold, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that do best on the validation part of the set's first fold of items; kept once found."""
    kind = method if method in NEIGHBOURS else "base"
    key = f"{subject.data}/chosen/{kind}"
    if key not in book.entries:
        grid = READINGS if kind in NEIGHBOURS else subject.bases
        validation = fold.validation
        if validation is None or options.quick:
            book.write(key, {"settings": grid[0], "values": {}})
        else:
            group, seen = ("warm" if kind == "base" else "cold"), sampled(validation, 1000, np.random.default_rng(0))
            values = [
                measure(seen, make(kind, one, options).fit(seen.train, Run()).retrieve, (METRIC,)).value(
                    METRIC, group=group
                )
                for one in grid
            ]
            named = dict(zip(map(json.dumps, grid), values, strict=True))
            book.write(key, {"settings": grid[int(np.argmax(values))], "values": named})
    settings: dict[str, Any] = book.entries[key]["settings"]
    return settings


def make(method: str, settings: dict[str, Any], options: argparse.Namespace) -> Any:
    """Return a model that is not fitted."""
    if method == "tfidf":
        return TfIdf(settings)
    if method in NEIGHBOURS:
        encoder = "sentence" if method == "minilm" else "auto"
        return Semantic(parse(SemanticConfig, {**settings, "encoder": encoder}), encoder=TextReader(encoder))
    if method == "base":
        return build(settings["warm"], settings.get("settings", {}))
    own = {**settings, **_OF_OURS[method], **({"epochs": 3} if options.quick else {})}
    return Aligned(parse(AlignedConfig, own), encoder=TextReader("auto"))


def one(model: Any, pair: tuple[Fold, Fold], run: Run) -> dict[str, Any]:
    """Fit on the fold's training part, ask everyone, and return what came of it."""
    begin = time.perf_counter()
    model.fit(pair[0].train, run)
    entry: dict[str, Any] = {"fit_s": time.perf_counter() - begin}
    for fold in pair:
        for group, scores in measure(fold, model.retrieve, (METRIC,)).groups.items():
            values = scores.values[METRIC]
            if group in GROUPS and len(values):
                entry[group] = {"mean": float(values.mean()), "n": len(values), "sum2": float((values**2).sum())}
    entry["p50_ms"] = latency(pair[0], model.retrieve, sample=50).p50
    return entry


def pooled(book: Book, data: str, method: str, group: str) -> tuple[float, float, float]:
    """Return the mean over folds and seeds, half its 95% interval, and the spread over seeds."""
    seeds: dict[str, list[dict[str, float]]] = {}
    for key, entry in book.entries.items():
        name, own, *rest = key.split("/", 3)
        if (name, own) == (data, method) and group in entry:
            seeds.setdefault(rest[0], []).append(entry[group])
    if not seeds:
        return float("nan"), float("nan"), float("nan")
    means = [sum(one["mean"] * one["n"] for one in part) / sum(one["n"] for one in part) for part in seeds.values()]
    first = next(iter(seeds.values()))
    n, mean = sum(one["n"] for one in first), float(np.mean(means))
    variance = max(sum(one["sum2"] for one in first) / n - mean**2, 0.0)
    return mean, 1.96 * float(np.sqrt(variance / n)), float(np.std(means, ddof=1)) if len(means) > 1 else 0.0


def methods(book: Book, data: str) -> list[str]:
    """Return the methods that were measured on a set, in their order."""
    there = {key.split("/")[1] for key in book.entries if key.startswith(f"{data}/")}
    return [name for name in (*NEIGHBOURS, "base", *OURS) if name in there]


def table(book: Book, data: str) -> Table:
    """Return a line for each method."""
    made = Table(title=f"{data}: NDCG@10 of items without events, and of warm ones", title_justify="left")
    for name in ("method", "cold among all", "cold among held-out", "warm", "seconds to fit", "ms"):
        made.add_column(name, justify="left" if name == "method" else "right")
    for method in methods(book, data):
        cells = []
        for group in GROUPS:
            mean, half, spread = pooled(book, data, method, group)
            cells.append(f"{mean:.4f} ±{half:.4f}" + (f" (seeds {spread:.4f})" if spread else ""))
        own = [entry for key, entry in book.entries.items() if key.startswith(f"{data}/{method}/")]
        cells += [f"{np.mean([entry[name] for entry in own]):.2f}" for name in ("fit_s", "p50_ms")]
        made.add_row(method, *cells)
    return made


def verdicts(book: Book, data: str) -> list[str]:
    """Return a line for each goal and each of ours, with what came of it."""
    there, lines = methods(book, data), []
    best = {
        group: max((pooled(book, data, name, group)[0] for name in there if name in NEIGHBOURS), default=float("nan"))
        for group in GROUPS
    }
    for method in (name for name in OURS if name in there):
        for title, group in (("among all", "cold"), ("among held-out", "cold_among_cold")):
            value, goal = pooled(book, data, method, group)[0], GOALS[title]
            reached = value >= goal * best[group] and value > 0
            times = f"{value / best[group]:.2f}" if best[group] > 0 else "beyond 0"
            lines.append(f"{said(reached)}  {data} {method}, {title}: {times} times the best kNN (goal {goal})")
        loss = 1 - pooled(book, data, method, "warm")[0] / pooled(book, data, "base", "warm")[0]
        reached = loss <= GOALS["warm"]
        lines.append(f"{said(reached)}  {data} {method}, warm items lose {loss:+.2%} (goal {GOALS['warm']:.0%})")
    return lines


def said(reached: bool) -> str:  # noqa: FBT001 - it is the word itself
    """Return a goal's word."""
    return "REACHED" if reached else "MISSED "


if __name__ == "__main__":
    raise SystemExit(main())
