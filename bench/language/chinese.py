# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What serves texts that the sentence model cannot read: hashing, ``auto`` before its fit, the own table, ``auto``.

There is no Chinese catalogue with behaviour among the public sets, so three things are measured instead. (i) waimai:
of each of a fifth of the reviews, the share of its ten nearest among the others that have its sentiment, and how often
their majority is right; the table is learned from the four fifths, without their labels. (ii) A written Chinese shop of
48 things on 8 shelves: the share of the five nearest things on the same shelf, and NDCG@6 of the things for the shelf's
name; the table is learned from the 48 texts. (iii) Public catalogues whose words are each turned into a fixed pair of
ideographs, so that no model reads them: NDCG@10 of ``semantic`` alone, seen dropped, on movielens-small (leave one out)
and online-retail (by time), beside the readable original. The table is learned from the
catalogue's texts. Nothing is chosen here; each encoder and seed is kept.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from bench.language._mapped import Mapped
from bench.language._toys import SHELVES
from bench.quality._command import public
from inkling import datasets, scenarios
from inkling.core.arrays import F32, I32, I64
from inkling.core.run import Run
from inkling.core.tables import TEXT_COLUMNS, Items
from inkling.encoders.auto import AutoEncoder
from inkling.encoders.base import Encoder
from inkling.encoders.corpus import CorpusEncoder
from inkling.encoders.hashing import HashingEncoder
from inkling.engine.texts import TextReader
from inkling.evaluation.evaluate import group_rows
from inkling.evaluation.folder import prepare
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split
from inkling.retrieval.semantic import Semantic, SemanticConfig

SETS = {"movielens-small": "loo", "online-retail": "time"}
BEFORE, NOW, ORIGINAL = "auto, unfitted", "auto", "readable"
MAKERS: Mapping[str, Callable[[Sequence[str], Run], Encoder]] = {
    "hashing": lambda texts, run: HashingEncoder(),
    BEFORE: lambda texts, run: AutoEncoder(),
    "corpus": lambda texts, run: CorpusEncoder().fit(texts, run),
    NOW: lambda texts, run: AutoEncoder().fit(texts, run),
}
METRIC = "ndcg@10"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.chinese", description=__doc__.split("\n\n")[0])
    parser.add_argument("--parts", default="waimai,toys,mapped", help="by comma (waimai,toys,mapped)")
    parser.add_argument("--sets", default=",".join(SETS), help=f"of the part mapped, by comma ({','.join(SETS)})")
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--validation", action="store_true", help="the part mapped on its validation part")
    parser.add_argument("--quick", action="store_true", help="few texts and people: does it run?")
    parser.add_argument(
        "--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual one"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    console, rows = Console(width=130), []
    for row in every(told):
        rows.append(row)
        console.print(f"[dim]{row}[/]", highlight=False)
        keep("language-chinese", {"rows": rows}, out=told.out)
    show(rows, console)
    return 0


def every(told: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield each measurement as it comes."""
    root, seeds = public(told.data), [int(seed) for seed in told.seeds.split(",")]
    parts = told.parts.split(",")
    for seed in seeds:
        if "waimai" in parts:
            yield from waimai(root, seed, quick=told.quick)
        if "toys" in parts:
            yield from toys(seed)
    for name in told.sets.split(",") if "mapped" in parts else ():
        yield from mapped(name, root, seeds, told)


# -- texts alone ----------------------------------------------------------------------------------------------------


def waimai(root: Path | None, seed: int, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield how far neighbours agree on the sentiment of reviews that no table has seen."""
    frame = pl.read_parquet((root or Path()) / "waimai" / "reviews.parquet")
    frame = frame.sample(2000 if quick else len(frame), seed=seed, shuffle=True)
    texts, labels = frame["comment"].to_list(), frame["sentiment"].to_numpy()
    n_asked = len(texts) // 5
    for name, make in MAKERS.items():
        begin = time.perf_counter()
        encoder = make(texts[n_asked:], Run(seed=seed))
        fit_s = time.perf_counter() - begin
        near = nearest(encoder.encode(texts[:n_asked]), encoder.encode(texts[n_asked:]), 10)
        seen = labels[n_asked:][near]
        row = {
            "agreement": float((seen == labels[:n_asked, None]).mean()),
            "majority right": float(((seen.mean(axis=1) > 0.5) == labels[:n_asked]).mean()),
        }
        yield {"part": "waimai", "encoder": name, "seed": seed, "n": n_asked, "fit_s": fit_s} | row


def toys(seed: int) -> Iterator[dict[str, Any]]:
    """Yield how well the shelves of the written shop come together, and answer to their names."""
    texts = [f"{title}. {about}" for things in SHELVES.values() for title, about in things]
    shelf = np.repeat(np.arange(len(SHELVES)), [len(things) for things in SHELVES.values()])
    for name, make in MAKERS.items():
        encoder = make(texts, Run(seed=seed))
        vectors = encoder.encode(texts)
        near = nearest(vectors, vectors, 6)
        others = np.array([[at for at in row if at != own][:5] for own, row in enumerate(near.tolist())])
        asked = nearest(encoder.encode(list(SHELVES)), vectors, 6)
        gain = (shelf[asked] == np.arange(len(SHELVES))[:, None]) / np.log2(np.arange(2, 8))
        row = {
            "same shelf": float((shelf[others] == shelf[:, None]).mean()),
            "ndcg@6 of names": float((gain.sum(axis=1) / (1 / np.log2(np.arange(2, 8))).sum()).mean()),
        }
        yield {"part": "toys", "encoder": name, "seed": seed, "n": len(texts)} | row


def nearest(asked: F32, among: F32, k: int) -> I64:
    """Return (len(asked), k) positions, the nearest first; ties by position."""
    return np.argsort(-(asked @ among.T), axis=1, kind="stable")[:, :k]


# -- behaviour on catalogues that nothing can read ------------------------------------------------------------------


def mapped(name: str, root: Path | None, seeds: Sequence[int], told: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield NDCG@10 of ``semantic`` on a catalogue in ideographs and, first, on the readable one."""
    fold = laid_out(name, root, validation=told.validation, quick=told.quick)
    ideographs = in_ideographs(fold)
    texts = [text for text in ideographs.train.items.texts() if text]
    original, people, _ = answered(fold, TextReader("auto"))
    about = {"part": name, "measured on": "validation" if told.validation else "test", "n": len(people)}
    yield about | {"encoder": ORIGINAL, "seed": 0, METRIC: float(original.mean())}
    plain: F32 | None = None
    for encoder, make in MAKERS.items():
        for seed in seeds if encoder in ("corpus", NOW) else (0,):
            begin = time.perf_counter()
            made = make(texts, Run(seed=seed))
            fit_s = time.perf_counter() - begin
            values, _, read_s = answered(ideographs, made)
            plain = values if encoder == "hashing" else plain
            gap = compare(values, plain, people).difference
            row = {METRIC: float(values.mean()), "over hashing": gap.mean, "low": gap.low, "high": gap.high}
            yield about | {"encoder": encoder, "seed": seed, "fit_s": fit_s, "read_s": read_s} | row


def laid_out(name: str, root: Path | None, *, validation: bool, quick: bool) -> Fold:
    """Return the one fold of a set, seen dropped."""
    folder = datasets.load(name, None if name in datasets.catalog.BUNDLED else root)
    events, scenario, tables = prepare(folder, scenarios.load(folder.info.scenario or scenarios.GENERAL))
    fold = split(events, scenario, tables, resolve(ProtocolSpec(split=SETS[name], seen="drop"), scenario))[0]
    if validation:
        found = fold.validation
        if found is None:
            raise SystemExit(f"{name} has no validation part.")
        fold = found
    return sampled(fold, 100, np.random.default_rng(0)) if quick else fold


def in_ideographs(fold: Fold) -> Fold:
    """Return the fold with a catalogue that is written in ideographs."""
    frame = fold.train.items.frame
    columns = [name for name in TEXT_COLUMNS if name in frame.columns]
    whole = fold.train.items.texts()
    pairs = Mapped(whole)
    titles = pl.Series("title", [pairs.text(text) or None for text in whole], dtype=pl.String)
    return replace(fold, train=replace(fold.train, items=Items(frame.drop(columns).with_columns(titles))))


def answered(fold: Fold, encoder: Any) -> tuple[F32, I32, float]:
    """Return each warm person's NDCG@10, their rows, and the seconds of reading."""
    begin = time.perf_counter()
    made = Semantic(SemanticConfig(), encoder=encoder).fit(fold.train, Run())
    read_s = time.perf_counter() - begin
    groups = measure(fold, made.retrieve, (METRIC,)).groups
    group = "warm" if "warm" in groups else next(iter(groups))
    return groups[group].values[METRIC], group_rows([fold], group), read_s


# -- showing --------------------------------------------------------------------------------------------------------


def show(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a table for each part, means over seeds."""
    for part in dict.fromkeys(row["part"] for row in rows):
        mine = [row for row in rows if row["part"] == part]
        told = [name for name in dict.fromkeys(key for row in mine for key in row) if name not in _NO_COLUMN]
        table = Table(title=f"{part}, {mine[0].get('measured on', 'held-out texts')}, n {mine[0]['n']:,}")
        for name in ("encoder", *told):
            table.add_column(name, justify="left" if name == "encoder" else "right")
        for encoder in dict.fromkeys(row["encoder"] for row in mine):
            same = [row for row in mine if row["encoder"] == encoder]
            table.add_row(encoder, *(_mean([row[name] for row in same if name in row]) for name in told))
        console.print(table)


_NO_COLUMN = frozenset({"part", "encoder", "seed", "n", "measured on"})


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {np.std(values):.4f}" if np.std(values) > 0 else ""
    return f"{np.mean(values):.4f}{spread}"


if __name__ == "__main__":
    raise SystemExit(main())
