# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What a language model gains by learning from behaviour: ``semantic`` before and after, full and LoRA.

Leave one out, no refit, seen dropped. The language model learns from the training part alone, from all-MiniLM-L6-v2
on. How a person's history fades is chosen on validation, over the same settings for every encoder. Frozen vectors: the
shipped int8 graph (``sentence``), the same model in float32, and ``auto``, which spells besides. The goal is measured
against the better of the two forms of MiniLM. Each data set, variant and seed is kept.
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

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.quality._command import public
from bench.quality._one import Setting, lay_out
from bench.quality._results import Place, Result, read, write
from bench.quality._tasks import Task
from inkling.core.arrays import F32
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.encoders.backbone import MINILM, BackboneEncoder
from inkling.encoders.cache import CachedEncoder
from inkling.engine.texts import TextReader
from inkling.language.adapt import AdaptConfig, adapt
from inkling.protocol.fold import Fold, sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.retrieval.semantic import Semantic, SemanticConfig

TASKS = {name: Task(name, name, "drop", split="loo") for name in ("movielens-small", "beauty")}
METRIC = "ndcg@10"
FROZEN = ("sentence", "float32", "auto")
MINILMS = ("sentence", "float32")
ADAPTED = ("full", "lora")
GAIN, NEAR, FEWER = 0.30, 0.02, 0.20
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "movielens-small": {
        "full": {"learning_rate": 1e-4, "max_tokens": 48, "batch_items": 96},
        "lora": {"learning_rate": 1e-3, "max_tokens": 48, "batch_items": 96, "rank": 48},
    },
    "beauty": {
        "full": {"learning_rate": 1e-4, "max_tokens": 32, "batch_items": 96},
        "lora": {"learning_rate": 1e-3, "max_tokens": 32, "batch_items": 96, "rank": 48},
    },
}
"""Data set -> method -> what differs from the defaults: starting points, not searched.

Stopping early looks at people held out of the training part.
"""
GRID = tuple(
    {"half_life_days": half, "fade": fade, "max_events": events}
    for half in (0.0, 90.0)
    for fade in (1.0, 0.9, 0.7)
    for events in (0, 10)
)
"""How a history fades: tried on validation for each encoder alike."""
_ASKED = 1500
_QUICK_ITEMS = 200


@dataclass(frozen=True)
class Read:
    """The items' vectors as an encoder: what ``semantic`` asks for is looked up."""

    name: str
    vectors: Mapping[str, F32]

    def encode(self, texts: Sequence[str]) -> F32:
        """Return the rows of texts that were read before; zeros for others."""
        nothing = np.zeros_like(next(iter(self.vectors.values())))
        return np.stack([self.vectors.get(text, nothing) for text in texts])


def learned_from(setting: Setting, *, quick: bool) -> Dataset:
    """Return the training part; to see that all runs, with its most popular items alone."""
    data = setting.folds[0].train
    if not quick:
        return data
    counts = np.bincount(data.interactions.item_rows, minlength=data.n_items)
    known = np.zeros(data.n_items, dtype=np.bool_)
    known[np.argsort(-counts)[:_QUICK_ITEMS]] = True
    return replace(data, known_items=known)


def texts_of(data: Dataset, *, quick: bool) -> list[str]:
    """Return the distinct texts of the catalogue; to see that all runs, of the items that exist."""
    pairs = zip(data.items.texts(), data.known_items.tolist(), strict=True)
    return list(dict.fromkeys(text for text, known in pairs if text and (known or not quick)))


def frozen(variant: str, texts: Sequence[str], told: argparse.Namespace) -> tuple[F32, dict[str, Any]]:
    """Return the vectors of an encoder that learned nothing, and what it cost."""
    begin = time.perf_counter()
    if variant == "float32":
        folder = os.environ.get("INKLING_CACHE")
        place = Path(folder) / "vectors-float32.sqlite" if folder else None
        encoder = CachedEncoder(BackboneEncoder(MINILM, n_threads=told.threads), path=place)
        return encoder.encode(list(texts)), {"encode_s": time.perf_counter() - begin}
    reader = TextReader(variant)
    reader.use(Run(n_threads=told.threads))
    return reader.encode(texts), {"encode_s": time.perf_counter() - begin}


def adapted(
    setting: Setting, task: str, variant: str, seed: int, told: argparse.Namespace
) -> tuple[Any, dict[str, Any]]:
    """Return the vectors of a model that learned from the training part, and what it cost."""
    data = learned_from(setting, quick=told.quick)
    texts = texts_of(data, quick=told.quick)
    first, _ = frozen("sentence", texts, told)
    place = {text: row for row, text in enumerate(texts)}
    start = np.zeros((data.n_items, first.shape[1]), dtype=np.float32)
    for row, text in enumerate(data.items.texts()):
        if text in place:
            start[row] = first[place[text]]
    said = {**SETTINGS[task][variant], "method": variant, "max_seconds": 20.0 if told.quick else 60.0 * told.minutes}
    config = msgspec.convert({**said, **dict(told.set)}, AdaptConfig, strict=False)
    found = adapt(data, MINILM, config, Run(seed=seed, n_threads=told.threads), start=start)
    begin = time.perf_counter()
    vectors = found.encode(texts, n_threads=told.threads)
    about = {"encode_s": time.perf_counter() - begin, "report": msgspec.to_builtins(found.report), "settings": said}
    return vectors, about


def faded(
    setting: Setting, vectors: F32, texts: Sequence[str], *, quick: bool
) -> tuple[Semantic, dict[str, Any], float]:
    """Return ``semantic`` over the vectors, with the fading that is best on validation, and its number there."""
    encoder = Read("read", dict(zip(texts, vectors, strict=True)))
    validation = setting.folds[0].validation
    tried = []
    if validation is not None:
        asked = sampled(validation, 200 if quick else _ASKED, np.random.default_rng(0))
        model = fitted(asked, encoder, {})
        for words in GRID[:1] if quick else GRID:
            tried.append((score(model, asked, words), words))
    best, words = max(tried, key=lambda one: one[0]) if tried else (float("nan"), dict(GRID[0]))
    return fitted(setting.folds[0], encoder, words), dict(words), best


def fitted(fold: Fold, encoder: Read, words: Mapping[str, Any]) -> Semantic:
    """Return ``semantic`` with vectors that are already there."""
    return Semantic(SemanticConfig(storage="float16", **words), encoder=encoder).fit(fold.train, Run())


def score(model: Semantic, fold: Fold, words: Mapping[str, Any]) -> float:
    """Return the metric with another fading; the vectors stay."""
    model.config = SemanticConfig(storage="float16", **words)
    return measure(fold, model.retrieve, (METRIC,)).value(METRIC)


def one(task: str, variant: str, seed: int, told: argparse.Namespace) -> Result:
    """Measure one variant with one seed."""
    setting = lay_out(TASKS[task], public(told.data), (seed,), quick=told.quick)
    texts = texts_of(learned_from(setting, quick=told.quick), quick=told.quick)
    vectors, about = frozen(variant, texts, told) if variant in FROZEN else adapted(setting, task, variant, seed, told)
    model, words, best = faded(setting, vectors, texts, quick=told.quick)
    fold = sampled(setting.folds[0], 500, np.random.default_rng(0)) if told.quick else setting.folds[0]
    found = measure(fold, model.retrieve, (METRIC,)).groups["warm"]
    about |= {"fading": words, "validation": best, "metrics": [METRIC]}
    return Result(about, {"warm": (found.user_rows, found.values[METRIC][:, None])})


def validated(task: str, seed: int, told: argparse.Namespace, console: Console) -> None:
    """Print what each variant is worth on validation; the test part is not looked at, and nothing is kept."""
    setting = lay_out(TASKS[task], public(told.data), (seed,), quick=told.quick)
    texts = texts_of(learned_from(setting, quick=told.quick), quick=told.quick)
    for variant in told.validate.split(","):
        if variant in FROZEN:
            vectors, about = frozen(variant, texts, told)
        else:
            vectors, about = adapted(setting, task, variant, seed, told)
        _, words, best = faded(setting, vectors, texts, quick=told.quick)
        report = about.get("report", {})
        held = f", held out {report['before']:.4f} -> {report['after']:.4f}" if report.get("after") is not None else ""
        console.print(f"{task}, {variant}: validation {best:.4f} {words}{held}", highlight=False)


def place(told: argparse.Namespace, task: str, variant: str, seed: int) -> Place:
    """Return where a step is kept."""
    return Place(told.out / "language", f"adapt-{'quick' if told.quick else 'full'}-{task}", variant, seed)


def summed(steps: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    """Return each variant's number, and the verdicts."""
    values = {name: np.mean([one.values["warm"][1][:, 0] for one in some], axis=0) for name, some in steps.items()}
    means = {name: float(each.mean()) for name, each in values.items()}
    rows = steps[ADAPTED[0]][0].values["warm"][0]
    base = max(MINILMS, key=lambda name: means[name])
    gaps = {name: compare(values[name], values[base], rows).difference for name in ADAPTED}
    reports = {name: [one.about["report"] for one in steps[name]] for name in ADAPTED}
    fewer = reports["lora"][0]["n_trained"] / max(reports["full"][0]["n_trained"], 1)
    return {
        "n": len(rows),
        "base": base,
        "means": means,
        "seed_sd": {
            name: float(np.std([one.values["warm"][1].mean() for one in some])) for name, some in steps.items()
        },
        "fading": {name: some[0].about["fading"] for name, some in steps.items()},
        "encode_s": {name: float(np.mean([one.about["encode_s"] for one in some])) for name, some in steps.items()},
        "fit_s": {name: float(np.mean([report["seconds"] for report in reports[name]])) for name in ADAPTED},
        "n_trained": {name: reports[name][0]["n_trained"] for name in ADAPTED},
        "gain": {name: means[name] / means[base] - 1 for name in ADAPTED},
        "difference": {name: [gap.mean, gap.low, gap.high] for name, gap in gaps.items()},
        "lora_of_full": means["lora"] / means["full"] - 1,
        "lora_share": fewer,
        "reached": {
            "gain": means["full"] >= (1 + GAIN) * means[base],
            "lora": means["lora"] >= (1 - NEAR) * means["full"] and fewer < FEWER,
        },
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.adapt", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"by comma ({','.join(TASKS)})")
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--minutes", type=float, default=6.0, help="of training, for each method and seed (6)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores of training and reading (all)")
    parser.add_argument("--set", type=pair, action="append", default=[], help="a setting of all adaptations, key=value")
    parser.add_argument("--validate", default="", metavar="A,B", help="variants to look at on validation alone")
    parser.add_argument("--quick", action="store_true", help="20 seconds of training: does it run?")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument(
        "--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual one"
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    console, found = Console(width=140), {}
    if told.validate:
        for task in told.tasks.split(","):
            validated(task, int(told.seeds.split(",")[0]), told, console)
        return 0
    for task in told.tasks.split(","):
        steps = {name: [step(task, name, 0, told, console)] for name in FROZEN}
        for seed in (int(seed) for seed in told.seeds.split(",")):
            for name in ADAPTED:
                steps.setdefault(name, []).append(step(task, name, seed, told, console))
        found[task] = summed(steps)
        keep("language-adapt", {"tasks": found, "minutes": told.minutes, "threads": told.threads}, out=told.out)
    show(found, console)
    return 0


def pair(text: str) -> tuple[str, Any]:
    """Read ``key=value``, the value as JSON where it is some."""
    key, _, value = text.partition("=")
    try:
        return key, msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return key, value


def step(task: str, variant: str, seed: int, told: argparse.Namespace, console: Console) -> Result:
    """Return one kept step, measured where it is not there yet."""
    at = place(told, task, variant, seed)
    found = None if told.fresh else read(at)
    if found is None:
        found = one(task, variant, seed, told)
        write(at, found)
    number, report = found.values["warm"][1].mean(), found.about.get("report")
    cost = f", {report['seconds']:.0f} s, {report['epochs']} passes ({report['stopped']})" if report else ""
    console.print(
        f"{task}, {variant}, seed {seed}: {METRIC} {number:.4f} (validation {found.about['validation']:.4f}){cost}",
        highlight=False,
    )
    return found


def show(found: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print the numbers and the verdicts."""
    table = Table(title=f"semantic, {METRIC}: frozen and adapted")
    for name in ("data", "encoder", METRIC, "seed sd", "against MiniLM", "95% interval", "moved", "fit s", "read s"):
        table.add_column(name, justify="left" if name in ("data", "encoder") else "right", no_wrap=True)
    for task, row in found.items():
        for name, mean in row["means"].items():
            learned = name in ADAPTED
            low, high = row["difference"][name][1:] if learned else (0.0, 0.0)
            table.add_row(
                task, name, f"{mean:.4f}", f"{row['seed_sd'][name]:.4f}" if learned else "-",
                f"{mean / row['means'][row['base']] - 1:+.1%}", f"{low:+.4f} {high:+.4f}" if learned else "-",
                f"{row['n_trained'][name]:,}" if learned else "-", f"{row['fit_s'][name]:.0f}" if learned else "-",
                f"{row['encode_s'][name]:.0f}",
            )  # fmt: skip
    console.print(table)
    for task, row in found.items():
        gain = "reached" if row["reached"]["gain"] else "MISSED"
        lora = "reached" if row["reached"]["lora"] else "MISSED"
        console.print(f"{task}: adapted at least {GAIN:.0%} above frozen MiniLM: {row['gain']['full']:+.1%}: {gain}")
        told = f"{row['lora_of_full']:+.1%} of full, {row['lora_share']:.1%} of its parameters"
        console.print(f"{task}: LoRA within {NEAR:.0%} of full at under a fifth of the parameters: {told}: {lora}")


if __name__ == "__main__":
    raise SystemExit(main())
