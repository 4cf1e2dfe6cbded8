# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""Small models taught by a large one: a 3-layer student and a static table, their speed and what they keep.

The teacher is all-MiniLM-L6-v2 in float32. A student reads the texts of the whole catalogue, as a user would, and
learns choices from events of the training part alone (leave one out, no refit, seen dropped). Settings were chosen on
validation; the test part is looked at here only, and not with ``--validate``. Quality is NDCG@10 of ``semantic``; how
a history fades is chosen on validation for the teacher's vectors, and is the same for all. Speed is taken on one core,
by turns in one process; the student is int8, and so is the 6-layer model beside it.
"""

from __future__ import annotations

from bench._kept import OUT, keep, one_thread

one_thread()

import argparse
import sys
import tempfile
import time
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
from inkling.compression.base import Step
from inkling.compression.distil import DistilConfig, StaticConfig, distil, distil_static
from inkling.compression.quantize import quantize
from inkling.encoders import open_encoder
from inkling.encoders._backbone_folder import packaged_minilm
from inkling.encoders.backbone import BackboneEncoder, load_backbone
from inkling.encoders.base import Encoder

INT8, STUDENT, STATIC = "int8, 6 layers", "int8, 3-layer student", "static table"
FASTER, KEPT = 2.0, 0.98
STATIC_MS, STATIC_FASTER, STATIC_KEPT = 0.3, 50.0, 0.95
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "movielens-small": {
        STUDENT: {"max_tokens": 48},
        STATIC: {"choices": 0.5},
    },
    "beauty": {
        STUDENT: {"max_tokens": 32},
        STATIC: {"choices": 0.5},
    },
}
"""Data set -> form -> what differs from the defaults."""


def made(one: Shop, folder: Path, told: argparse.Namespace) -> tuple[dict[str, Encoder], dict[str, Any]]:
    """Return each form that was asked for, written under ``folder`` and opened, and what it is."""
    teacher, lessons, run = load_backbone(), one.lessons, run_of(told)
    parameters = sum(p.numel() for p in teacher.model.parameters())
    weights = packaged_minilm()
    size = (weights / "model.safetensors").stat().st_size if weights else 4 * parameters
    encoders: dict[str, Encoder] = {WHOLE: BackboneEncoder()}
    sizes: dict[str, Any] = {WHOLE: {"parameters": parameters, "bytes": size}}
    forms = told.forms.split(",")
    if "student" in forms:
        encoders[INT8] = quantize(teacher, folder / "whole", method=told.int8, texts=one.texts)
        sizes[INT8] = {"parameters": parameters, "bytes": folder_bytes(folder / "whole")}
        said = {"max_seconds": seconds_of(told), **SETTINGS[one.task][STUDENT], **dict(told.set)}
        begin = time.perf_counter()
        student, step = distil(teacher, lessons, DistilConfig(**said), n_layers=told.layers, run=run)
        encoders[STUDENT] = quantize(student, folder / "student", method=told.int8, texts=one.texts)
        sizes[STUDENT] = of_step(step, folder / "student", time.perf_counter() - begin)
    if "static" in forms:
        said = {"max_seconds": seconds_of(told), "unseen": not told.quick, **SETTINGS[one.task][STATIC]}
        begin = time.perf_counter()
        table, step = distil_static(teacher, lessons, StaticConfig(**{**said, **dict(told.set)}), run=run)
        table.save(folder / "static")
        encoders[STATIC] = open_encoder(str(folder / "static"))
        sizes[STATIC] = of_step(step, folder / "static", time.perf_counter() - begin)
    return encoders, sizes


def of_step(step: Step, folder: Path, fit_s: float) -> dict[str, Any]:
    """Return what a form is: its size, and how its lessons went."""
    said = {"parameters": step.parameters, "bytes": folder_bytes(folder), "fit_s": fit_s}
    return {**said, "note": step.note, "settings": step.settings}


def measured(task: str, told: argparse.Namespace) -> dict[str, Any]:
    """Return sizes, speed and quality of all forms on one data set."""
    one = shop(task, told)
    print(f"{task}: {len(one.texts)} texts, the teacher's validation {one.validation:.4f}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        encoders, sizes = made(one, Path(place), told)
        for name, size in sizes.items():
            if "note" in size:
                print(f"{task}, {name}: {size['note']}", flush=True)
        found = {"sizes": sizes, "fading": dict(one.fading), "validation": one.validation}
        if told.rounds:
            found["speed"] = speed(encoders, told)
        vectors = {name: own.encode(one.texts) for name, own in encoders.items() if name != WHOLE}
    return {**found, "quality": quality(one, vectors, told)}


def goals(found: Mapping[str, Any]) -> list[Goal]:
    """Return each goal with its verdict."""
    rows: list[Goal] = []
    for task, one in found["tasks"].items():
        fast, own = one.get("speed", {}).get("forms", {}), one["quality"]
        if STUDENT in own:
            if fast:
                ratio = fast[STUDENT]["texts_per_s"] / fast[INT8]["texts_per_s"]
                rows.append((f"{task}: student, throughput of the 6 layers in int8, at least", ratio, FASTER,
                             ratio >= FASTER))  # fmt: skip
            kept = own[STUDENT]["kept"]
            rows.append((f"{task}: student, NDCG@10 kept, at least", kept, KEPT, kept >= KEPT))
        if STATIC in own:
            if fast:
                ms, ratio = fast[STATIC]["p99_ms"], fast[STATIC]["texts_per_s"] / fast[WHOLE]["texts_per_s"]
                rows.append((f"{task}: static, p99 in ms, at most", ms, STATIC_MS, ms <= STATIC_MS))
                rows.append((f"{task}: static, throughput of float32, at least", ratio, STATIC_FASTER,
                             ratio >= STATIC_FASTER))  # fmt: skip
            kept = own[STATIC]["kept"]
            rows.append((f"{task}: static, NDCG@10 kept, at least", kept, STATIC_KEPT, kept >= STATIC_KEPT))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = arguments("students", __doc__ or "")
    parser.add_argument("--forms", default="student,static", help="by comma (student,static)")
    parser.add_argument("--layers", type=int, default=3, help="of the student (3)")
    parser.add_argument("--int8", default="static", help="how weights become int8: static or dynamic (static)")
    told = parser.parse_args(argv)
    told.int8 = "dynamic" if told.quick else told.int8  # calibration takes its time
    told.rounds, out = min(told.rounds, 2) if told.quick else told.rounds, told.out or OUT
    found: dict[str, Any] = {"quick": told.quick, "on": "validation" if told.validate else "test", "tasks": {}}
    for task in told.sets.split(","):
        found["tasks"][task] = measured(task, told)
        if not told.validate:
            keep("latency-students", found, out=out)
    show(f"Students of all-MiniLM-L6-v2, one core; quality on {found['on']}", found, goals(found))
    if not told.validate:
        found["reached"] = {what: reached for what, _, _, reached in goals(found)}
        print(f"kept in {keep('latency-students', found, out=out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
