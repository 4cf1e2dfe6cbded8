# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""What a language model can do without: pruned by heads and units, by layers, by single weights, and recovered.

The model is all-MiniLM-L6-v2. Importance is measured on the catalogue's own texts, and a short training brings the
pruned model back to the unpruned one's vectors of them; no event is looked at. Settings were chosen on validation; the
test part is looked at here only, and not with ``--validate``. Quality is NDCG@10 of ``semantic``; how a history fades
is chosen on validation for the unpruned model, and is the same for all. Speed is taken on one core, by turns, of the
whole and of the pruned model in the same form: a float32 graph, and int8.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.latency._small import (
    WHOLE,
    Goal,
    Shop,
    arguments,
    folder_bytes,
    quality,
    run_of,
    seconds_of,
    shop,
    show,
    speed,
)
from inkling.compression._prune_layout import n_inside
from inkling.compression.prune import METHODS, PruneConfig, Recovery, prune
from inkling.compression.quantize import quantize
from inkling.encoders.backbone import Backbone, BackboneEncoder, load_backbone
from inkling.encoders.base import Encoder

BEST = "structured"
GONE, KEPT, FASTER = 0.30, 0.99, 1.25
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "movielens-small": {"max_tokens": 48},
    "beauty": {"max_tokens": 32},
}
"""Data set -> what differs from the recovery's defaults."""
FORMS = {"float32": "float32", "int8": "static"}
"""Form of the graph -> the method of ``quantize`` that writes it."""


def written(
    name: str, backbone: Backbone, one: Shop, folder: Path, told: argparse.Namespace
) -> tuple[dict[str, Encoder], dict[str, Any]]:
    """Return the forms of one model as encoders, and what they weigh."""
    encoders: dict[str, Encoder] = {}
    sizes: dict[str, Any] = {}
    for form in told.forms.split(","):
        place = folder / f"{name}-{form}"
        method = "dynamic" if told.quick and form == "int8" else FORMS[form]  # calibration takes its time
        encoders[f"{name}, {form}"] = quantize(backbone, place, method=method, texts=one.texts)
        parameters = sum(p.numel() for p in backbone.model.parameters())
        sizes[f"{name}, {form}"] = {"parameters": parameters, "bytes": folder_bytes(place)}
    return encoders, sizes


def measured(task: str, told: argparse.Namespace) -> dict[str, Any]:
    """Return sizes, speed and quality of all forms on one data set."""
    one, backbone = shop(task, told), load_backbone()
    print(f"{task}: {len(one.texts)} texts, validation of the whole model {one.validation:.4f}", flush=True)
    recovery = Recovery(**{"max_seconds": seconds_of(told), **SETTINGS[task], **dict(told.set)})
    with tempfile.TemporaryDirectory() as place:
        encoders, sizes = written("whole", backbone, one, Path(place), told)
        gone = {}
        for method in told.methods.split(","):
            config = PruneConfig(recovery=recovery, importance=told.importance)
            lessons = None if told.bare else one.lessons
            small, step = prune(backbone, told.share, method=method, texts=one.texts, run=run_of(told),
                                recover=lessons, config=config)  # fmt: skip
            print(f"{task}, {method}: {step.note}", flush=True)
            own, size = written(method, small, one, Path(place), told)
            zeros = sum(p.numel() for p in small.model.parameters()) - step.parameters
            gone[method] = 1 - (n_inside(small.model) - zeros) / n_inside(backbone.model)
            for row in size.values():
                row |= {"parameters": step.parameters, "note": step.note, "settings": step.settings}
            encoders, sizes = {**encoders, **own}, {**sizes, **size}
        found = {"sizes": sizes, "gone": gone, "fading": dict(one.fading), "validation": one.validation}
        if told.rounds:
            found["speed"] = speed({WHOLE: BackboneEncoder(), **encoders}, told)
        vectors = {name: own.encode(one.texts) for name, own in encoders.items()}
    return {**found, "quality": quality(one, vectors, told)}


def goals(found: Mapping[str, Any]) -> list[Goal]:
    """Return each goal with its verdict, for the method that shrinks matrices."""
    rows: list[Goal] = []
    for task, one in found["tasks"].items():
        if BEST not in one["gone"]:
            continue
        gone, fast = one["gone"][BEST], one.get("speed", {}).get("forms", {})
        rows.append((f"{task}: share of the blocks' parameters gone, at least", gone, GONE, gone >= GONE))
        for form in FORMS:
            name, whole = f"{BEST}, {form}", f"whole, {form}"
            if name in one["quality"]:
                kept = one["quality"][name]["kept"]
                rows.append((f"{task}: {form}, NDCG@10 kept, at least", kept, KEPT, kept >= KEPT))
            if name in fast:
                for what, ratio in (
                    ("one text of 16 tokens", fast[whole]["p50_ms"] / fast[name]["p50_ms"]),
                    ("texts/s at 64 tokens", fast[name]["texts_per_s"] / fast[whole]["texts_per_s"]),
                ):
                    rows.append((f"{task}: {form}, {what}, times faster, at least", ratio, FASTER, ratio >= FASTER))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = arguments("pruned", __doc__ or "")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"by comma ({','.join(METHODS)})")
    parser.add_argument("--forms", default=",".join(FORMS), help=f"of the graph, by comma ({','.join(FORMS)})")
    parser.add_argument("--share", type=float, default=0.34, help="of the blocks' parameters that goes (.34)")
    parser.add_argument("--importance", default="taylor", help="taylor or energy (taylor)")
    parser.add_argument("--bare", action="store_true", help="without recovery")
    told = parser.parse_args(argv)
    told.rounds, out = min(told.rounds, 2) if told.quick else told.rounds, told.out or OUT
    found: dict[str, Any] = {"quick": told.quick, "on": "validation" if told.validate else "test", "tasks": {}}
    for task in told.sets.split(","):
        found["tasks"][task] = measured(task, told)
        if not told.validate:
            keep("latency-pruned", found, out=out)
    show(f"all-MiniLM-L6-v2 pruned, one core; quality on {found['on']}", found, goals(found))
    if not told.validate:
        found["reached"] = {what: reached for what, _, _, reached in goals(found)}
        print(f"kept in {keep('latency-pruned', found, out=out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
