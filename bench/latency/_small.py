"""What the benches of smaller models share: a task with the large model's vectors, quality, speed, verdicts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench._noise import Noise
from bench.language.adapt import METRIC, TASKS, Read, fitted, learned_from, pair, score, texts_of
from bench.latency._turns import by_turns
from bench.latency.text import AT_ONCE, LONG, SHORT, texts_of_tokens
from bench.quality._command import public
from bench.quality._one import Setting, lay_out
from inkling.compression.distil import Lessons, read_lessons
from inkling.core.arrays import F32
from inkling.core.run import Run
from inkling.encoders.backbone import BackboneEncoder
from inkling.encoders.base import Encoder
from inkling.encoders.cache import CachedEncoder
from inkling.protocol.fold import sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure

WHOLE = "torch float32"
FADINGS = tuple(
    {"half_life_days": half, "fade": 0.7, "max_events": events} for half in (0.0, 90.0) for events in (0, 10)
)
"""How a history fades: tried on validation for the large model's vectors, then the same for all."""
Goal = tuple[str, float, float, bool]
"""What, value, least (or most), whether it is reached."""


@dataclass(frozen=True)
class Shop:
    """A data set laid out, with the large model's vectors; how a history fades is chosen for these on validation."""

    task: str
    setting: Setting
    texts: list[str]
    whole: F32
    fading: Mapping[str, Any]
    validation: float
    quick: bool

    @property
    def lessons(self) -> Lessons:
        """Return what a smaller model learns from: the texts of the whole catalogue, events of the training part."""
        data = learned_from(self.setting, quick=self.quick)
        return read_lessons(Read("large", dict(zip(self.texts, self.whole, strict=True))), data=data)  # type: ignore[arg-type]

    def values(self, vectors: F32, *, validation: bool) -> tuple[Any, F32]:
        """Return people and their NDCG@10 by ``semantic``: on validation (a sample), or on the test part."""
        fold = self.setting.folds[0].validation if validation else self.setting.folds[0]
        assert fold is not None
        if self.quick or validation:
            fold = sampled(fold, 300 if self.quick else 1500, np.random.default_rng(0))
        model = fitted(fold, Read("read", dict(zip(self.texts, vectors, strict=True))), self.fading)
        found = measure(fold, model.retrieve, (METRIC,)).groups["warm"]
        return found.user_rows, found.values[METRIC]


def shop(task: str, told: argparse.Namespace) -> Shop:
    """Lay a data set out, and read its catalogue with the large model (kept in INKLING_CACHE)."""
    setting = lay_out(TASKS[task], public(told.data), (0,), quick=told.quick)
    texts = texts_of(learned_from(setting, quick=told.quick), quick=told.quick)
    folder = os.environ.get("INKLING_CACHE")
    place = Path(folder) / "vectors-float32.sqlite" if folder else None
    whole = CachedEncoder(BackboneEncoder(), path=place).encode(texts)
    fold = setting.folds[0].validation
    assert fold is not None
    asked = sampled(fold, 300 if told.quick else 1500, np.random.default_rng(0))
    model = fitted(asked, Read("large", dict(zip(texts, whole, strict=True))), {})
    tried = [(score(model, asked, words), words) for words in (FADINGS[:1] if told.quick else FADINGS)]
    best, fading = max(tried, key=lambda one: one[0])
    return Shop(task, setting, texts, whole, fading, best, told.quick)


def quality(shop: Shop, vectors: Mapping[str, F32], told: argparse.Namespace) -> dict[str, Any]:
    """Return each form's NDCG@10 beside the large model's, paired by person; ``--validate`` leaves the test alone."""
    on = {name: shop.values(own, validation=told.validate) for name, own in {WHOLE: shop.whole, **vectors}.items()}
    rows, base = on[WHOLE]
    found: dict[str, Any] = {}
    for name, (_, values) in on.items():
        gap = compare(values, base, rows).difference
        kept = float(values.mean() / base.mean())
        found[name] = {METRIC: float(values.mean()), "kept": kept, "difference": [gap.mean, gap.low, gap.high]}
    return found


def speed(encoders: Mapping[str, Encoder], told: argparse.Namespace) -> dict[str, Any]:
    """Return milliseconds of one text of 16 tokens, and texts a second at 64 tokens, by turns on one core."""
    short, long = texts_of_tokens(SHORT, 256), texts_of_tokens(LONG, AT_ONCE)
    noise = Noise()
    one: dict[str, Callable[[int], object]] = {
        name: lambda n, own=own: own.encode([short[n % len(short)]]) for name, own in encoders.items()
    }
    many: dict[str, Callable[[int], object]] = {
        name: lambda n, own=own: own.encode(long) for name, own in encoders.items()
    }
    single = by_turns(one, rounds=told.rounds, size=40, noise=noise)
    batches = by_turns(many, rounds=max(told.rounds // 2, 2), size=3, noise=noise)
    rows = {}
    for name in encoders:
        row, each = single[name].row(), batches[name].row()
        rows[name] = {
            "p50_ms": row["quiet_p50_us"] / 1000,
            "p99_ms": row["quiet_p99_us"] / 1000,
            "texts_per_s": AT_ONCE / (each["quiet_p50_us"] / 1e6),
        }
    return {"machine_factor": noise.factor, "forms": rows}


def folder_bytes(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.iterdir())


def run_of(told: argparse.Namespace) -> Run:
    """Return the seed and the threads that were asked for."""
    return Run(seed=told.seed, n_threads=told.threads)


def arguments(name: str, about: str) -> argparse.ArgumentParser:
    """Return the options that these benches share."""
    parser = argparse.ArgumentParser(prog=f"python -m bench latency {name}", description=about)
    parser.add_argument("--sets", default=",".join(TASKS), help=f"data sets, by comma ({','.join(TASKS)})")
    parser.add_argument("--minutes", type=float, default=6.0, help="of each training, at most (6)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores of training (all)")
    parser.add_argument("--rounds", type=int, default=10, help="blocks of 40 texts; 0 measures no speed (10)")
    parser.add_argument("--set", type=pair, action="append", default=[], help="a setting of all lessons, key=value")
    parser.add_argument("--validate", action="store_true", help="quality on validation; the test part is not looked at")
    parser.add_argument("--quick", action="store_true", help="200 items, seconds of training: does it run?")
    parser.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual")
    parser.add_argument("--out", type=Path, help="where results are kept")
    return parser


def seconds_of(told: argparse.Namespace) -> float:
    """Return how long a training may take."""
    return 5.0 if told.quick else 60.0 * told.minutes


def show(title: str, found: Mapping[str, Any], goals: Sequence[Goal]) -> None:
    """Print a table of all forms, and the goals with reached or MISSED."""
    tasks: Mapping[str, Any] = found["tasks"]
    table = Table(title=title)
    names = ("data", "form", "parameters", "MB", "p50 ms", "p99 ms", f"texts/s at {LONG}", METRIC, "kept", "95%")
    for name in names:
        table.add_column(name, justify="left" if name in ("data", "form") else "right", no_wrap=True)
    for task, one in tasks.items():
        for form, own in one["quality"].items():
            size, fast = one["sizes"].get(form, {}), one.get("speed", {}).get("forms", {}).get(form)
            low, high = own["difference"][1:]
            table.add_row(
                task, form,
                f"{size['parameters'] / 1e6:.2f} M" if "parameters" in size else "-",
                f"{size['bytes'] / 1e6:.1f}" if "bytes" in size else "-",
                *([f"{fast['p50_ms']:.3f}", f"{fast['p99_ms']:.3f}", f"{fast['texts_per_s']:.0f}"] if fast else "---"),
                f"{own[METRIC]:.4f}", f"{own['kept']:.1%}", f"{low:+.4f} {high:+.4f}",
            )  # fmt: skip
    console = Console(width=170)
    console.print(table)
    for what, value, limit, reached in goals:
        console.print(f"{what} {limit:g}: {value:.3f} {'reached' if reached else 'MISSED'}", highlight=False)
