# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""MiniLM pretrained onwards on a domain's own texts: the held-out loss, and what that does to ``semantic``.

Hidden words (mlm) on the texts of the part before validation: its catalogue, and what was said in its events. Settings
of ``semantic`` are chosen on validation for each model alone; the test part is then answered once by each, paired by
person. No number was promised for the recommendations: hiding words teaches words, not likes.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from inkling import datasets, scenarios
from inkling.core.arrays import F32, F64, I32
from inkling.core.config import override, parse
from inkling.core.run import Run
from inkling.encoders.backbone import BackboneEncoder
from inkling.encoders.base import Encoder
from inkling.encoders.cache import CachedEncoder
from inkling.evaluation.evaluate import group_rows
from inkling.evaluation.folder import prepare
from inkling.language.pretrain import PretrainConfig, PretrainReport, pretrain, texts_of
from inkling.protocol.fold import Fold
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits import split
from inkling.retrieval import RETRIEVERS

METRIC, GROUP = "ndcg@10", "warm"
SPLITS = {"movielens-small": ProtocolSpec(split="loo", seen="drop"), "questions": ProtocolSpec(split="time")}
GRID: tuple[dict[str, Any], ...] = tuple({"half_life_days": days} for days in (0.0, 30.0, 90.0, 365.0))
QUICK = {"epochs": 1, "max_tokens": 64}
N_QUICK = 300


def fold_of(name: str, root: Path | None) -> Fold:
    """Return how a data set is split."""
    folder = datasets.load(name, root)
    events, own, tables = prepare(folder, scenarios.load(folder.info.scenario or scenarios.GENERAL))
    return split(events, own, tables, SPLITS.get(name, ProtocolSpec()))[0]


@dataclass
class Beginnings:
    """Reads the first letters of a text only: a quick look at what would take long."""

    encoder: Encoder
    n: int = 16

    def __post_init__(self) -> None:
        self.name, self.dim = self.encoder.name, self.encoder.dim
        self.fingerprint = f"{self.encoder.fingerprint}:{self.n}"

    def encode(self, texts: Sequence[str]) -> F32:
        """Return the vectors of the texts' beginnings."""
        return self.encoder.encode([text[: self.n] for text in texts])


def reader(source: str, told: argparse.Namespace) -> Encoder:
    """Return a model as an encoder that reads each text once."""
    encoder: Encoder = BackboneEncoder(source, n_threads=told.threads)
    return CachedEncoder(Beginnings(encoder) if told.quick else encoder)


def answers(fold: Fold, settings: Mapping[str, Any], encoder: Encoder, run: Run) -> tuple[I32, F64]:
    """Return people and their NDCG@10 with ``semantic`` over an encoder."""
    kind = RETRIEVERS.get("semantic")
    made = kind(parse(kind.Config, dict(settings), where="semantic"), encoder=encoder).fit(fold.train, run)
    found = measure(fold, made.retrieve, (METRIC,))
    return group_rows([fold], GROUP), found.groups[GROUP].values[METRIC]


def best(fold: Fold, encoder: Encoder, run: Run) -> dict[str, Any]:
    """Return the settings of ``semantic`` that validation prefers, and by how much, then what the test part says."""
    validation = fold.validation
    if validation is None:
        raise SystemExit("This data has no validation part.")
    scores = [float(answers(validation, settings, encoder, run)[1].mean()) for settings in GRID]
    chosen = GRID[int(np.argmax(scores))]
    people, values = answers(fold, chosen, encoder, run)
    return {"settings": chosen, "validation": max(scores), "people": people.tolist(), "test": values.tolist()}


def one(name: str, seed: int, told: argparse.Namespace, fold: Fold) -> dict[str, Any]:
    """Pretrain with one seed and measure."""
    run = Run(seed=seed, n_threads=told.threads)
    validation = fold.validation
    texts, learned = texts_of((validation or fold).train)
    said = {**dict(pair.split("=", 1) for pair in told.set), **(QUICK if told.quick else {})}
    config = override(PretrainConfig(), said, where="pretrain")
    found = pretrain(texts[: N_QUICK if told.quick else None], "minilm", config, run, learned=learned)
    place = told.out / "models" / f"pretrained-{name}-{seed}"
    found.save(place)
    encoder = reader(str(place), told)
    return {"report": msgspec.to_builtins(found.report), "semantic": best(fold, encoder, run)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.language.pretrain", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", default="movielens-small", help="by comma: movielens-small, questions")
    parser.add_argument("--seeds", default="0,1,2", help="by comma (0,1,2)")
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="a setting of pretraining")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores (all)")
    parser.add_argument(
        "--quick", action="store_true", help=f"{N_QUICK} texts, one epoch, beginnings of texts: does it run?"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    told = parser.parse_args(argv)
    file = "language-pretrain-quick" if told.quick else "language-pretrain"
    found: dict[str, Any] = {} if told.fresh else kept(told.out / f"{file}.json", told.set)
    for name in told.tasks.split(","):
        steps = found.setdefault(name, {})
        fold = fold_of(name, told.data)
        if "frozen" not in steps:
            steps["frozen"] = best(fold, reader("minilm", told), Run(n_threads=told.threads))
            keep(file, {"set": told.set, "tasks": found}, out=told.out)
        for seed in told.seeds.split(","):
            if seed not in steps:
                steps[seed] = one(name, int(seed), told, fold)
                keep(file, {"set": told.set, "tasks": found}, out=told.out)
    show(found, told.seeds.split(","), Console(width=130))
    return 0


def kept(path: Path, settings: Sequence[str]) -> dict[str, Any]:
    """Return what an earlier call with the same settings measured."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    return stored["tasks"] if stored["set"] == list(settings) else {}


def show(found: Mapping[str, Mapping[str, Any]], seeds: Sequence[str], console: Console) -> None:
    """Print the losses, the quality beside them and the verdict."""
    table = Table(title=f"Pretrained onwards from MiniLM; {METRIC} of semantic")
    for name in ("task", "seed", "loss before", "after", "guess", "validation", "test", "frozen test", "difference"):
        table.add_column(name, justify="left" if name == "task" else "right", no_wrap=True)
    fell = []
    for task, steps in found.items():
        frozen = steps["frozen"]
        for seed in seeds:
            report = msgspec.convert(steps[seed]["report"], PretrainReport)
            mine, loss = steps[seed]["semantic"], report.measured[0]
            gap = compare(np.array(mine["test"]), np.array(frozen["test"]), np.array(mine["people"])).difference
            cells = (f"{loss.before:.3f}", f"{loss.after:.3f}", f"{loss.guess:.3f}")
            values = (f"{mine['validation']:.4f}", f"{np.mean(mine['test']):.4f}", f"{np.mean(frozen['test']):.4f}")
            table.add_row(task, seed, *cells, *values, f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")
            fell.append(loss.after < loss.before)
    console.print(table)
    console.print(f"the held-out loss falls: {'reached' if all(fell) else 'MISSED'}")


if __name__ == "__main__":
    raise SystemExit(main())
