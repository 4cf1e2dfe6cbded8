"""Where a bundle's milliseconds and megabytes go: stage by stage, member by member, layer by layer."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F64
from inkling.core.query import Query
from inkling.encoders import open_encoder
from inkling.engine import asking
from inkling.engine.base import Ask
from inkling.engine.operations import operations
from inkling.engine.people import caches_of, told
from inkling.engine.smaller import encoder_bytes
from inkling.engine.weighing import people_of, resident_bytes, sentences_of

_WARM = 5
_WHOLE = "whole answer"


class Part(msgspec.Struct, frozen=True):
    """What one part takes of time."""

    name: str
    p50_ms: float
    p99_ms: float
    share: float
    """Of the whole, by the mean; 0 where there is none."""


class Layer(msgspec.Struct, frozen=True):
    """What one kind of operation takes in a network, for one question."""

    network: str
    layer: str
    ms: float
    share: float


class Held(msgspec.Struct, frozen=True):
    """What one part takes of space."""

    name: str
    bytes: int


class Costs(msgspec.Struct, frozen=True):
    """What a bundle costs, part by part; the JSON of ``inkling profile``."""

    bundle: str
    n_questions: int
    stages: dict[str, tuple[Part, ...]]
    """Kind of question -> its stages, in their order, and the whole."""
    members: tuple[Part, ...]
    """Members of the recall alone; together they share what they can, so they add up to more than the stage."""
    layers: tuple[Layer, ...]
    """Of networks that ONNX Runtime serves: the slowest operations."""
    disk: tuple[Held, ...]
    """Files, and arrays within them, the largest first."""
    memory: tuple[Held, ...]
    """Growth of the resident memory as each part was opened."""
    caches: dict[str, dict[str, float]]

    def to_json(self) -> bytes:
        """Return indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def costs_of(folder: Path, *, n: int = 200) -> Costs:
    """Return where the time and space of a bundle go; meant for a process of its own, on one thread.

    Args:
        folder: A written bundle.
        n: How many people and sentences are asked about.
    """
    from inkling.engine.bundle import Bundle
    from inkling.engine.engine import LocalEngine
    from inkling.stores.address import open_log

    held = _Growth()
    held.mark("interpreter and libraries")
    bundle = Bundle.read(folder)
    held.mark("bundle as read")
    with LocalEngine(open_log("memory://"), bundle=bundle) as engine:
        held.mark("live state and models")
        engine.pipeline.encode(["warm"])
        held.mark("what reads texts")
        engine.warm()
        held.mark("prepared tables")
        people, sentences = people_of(engine, n), sentences_of(engine, 2 * n)
        half = len(sentences) // 2
        stages = {"a person": _asked(engine, [Ask(user_id=one) for one in people])}
        if half:
            stages["a sentence"] = _asked(engine, [Ask(text=one) for one in sentences[:half]])
            stages["text to vector"] = _timed("reading", lambda one: engine.pipeline.encode([one]), sentences[half:])
        members = _members(engine, people)
        held.mark("what answering left behind")
        layers = _layers(engine, people)
        return Costs(
            folder.name,
            len(people),
            stages,
            members,
            layers,
            _disk(bundle),
            held.found,
            told(caches_of(engine.pipeline)),
        )


# -- time -----------------------------------------------------------------------------------------------------------


def _asked(engine: Any, questions: Sequence[Ask]) -> tuple[Part, ...]:
    """Return the stages of answers to questions, and whole answers beside them."""
    rows: dict[str, list[float]] = defaultdict(list)
    n_warm = min(_WARM, len(questions) // 2)
    for at, question in enumerate(questions):
        begin = time.perf_counter()
        answer = engine.ask(question)
        whole = 1000 * (time.perf_counter() - begin)
        if at >= n_warm:
            for stage, ms in {**answer.timings_ms, _WHOLE: whole}.items():
                rows[stage].append(ms)
    total = float(np.mean(rows[_WHOLE])) if rows else 0.0
    return tuple(_part(stage, np.array(spent), total) for stage, spent in rows.items())


def _timed(name: str, ask: Callable[[Any], Any], questions: Sequence[Any]) -> tuple[Part, ...]:
    n_warm = min(_WARM, len(questions) // 2)
    for question in questions[:n_warm]:
        ask(question)
    spent = np.empty(len(questions) - n_warm)
    for at, question in enumerate(questions[n_warm:]):
        begin = time.perf_counter()
        ask(question)
        spent[at] = 1000 * (time.perf_counter() - begin)
    return (_part(name, spent, 0.0),) if len(spent) else ()


def _part(name: str, spent: F64, total: float) -> Part:
    p50, p99 = np.percentile(spent, [50, 99])
    return Part(name, float(p50), float(p99), float(spent.mean()) / total if total > 0 else 0.0)


def _questions(engine: Any, people: Sequence[str]) -> list[Query]:
    now = engine.now_ms()
    asked = [[Ask(user_id=one)] for one in people]
    return [asking.query_of(one, engine.views, engine.pipeline, now_ms=now) for one in asked]


def _members(engine: Any, people: Sequence[str]) -> tuple[Part, ...]:
    """Return what each member of the recall takes, asked alone for all of its scores."""
    members: Mapping[str, Any] = getattr(getattr(engine.pipeline, "_recall", None), "members", {})
    questions = _questions(engine, people)
    found: list[Part] = []
    for name, member in members.items():
        ask = getattr(member, "scores", None) or (lambda query, member=member: member.retrieve(query, 100))
        found += _timed(name, ask, questions)
    total = sum(part.p50_ms for part in found) or 1.0
    shared = [msgspec.structs.replace(part, share=part.p50_ms / total) for part in found]
    return tuple(sorted(shared, key=lambda part: -part.p50_ms))


def _layers(engine: Any, people: Sequence[str], n: int = 20) -> tuple[Layer, ...]:
    """Return the operations of every network in the pipeline, as ONNX Runtime's own profile has them."""
    sentences = sentences_of(engine, n)
    reader = getattr(engine.pipeline, "_reader", None)
    found: list[Layer] = []
    if reader is not None and sentences:
        with operations() as spent:
            fresh = open_encoder(reader.source)
            for text in sentences:
                fresh.encode([text])
        found += _told("text to vector", spent, len(sentences))
    members: Mapping[str, Any] = getattr(getattr(engine.pipeline, "_recall", None), "members", {})
    questions = _questions(engine, people[:n])
    for name, member in members.items():
        if not getattr(member, "_graph", b""):
            continue
        with operations() as spent:
            model = type(member)(member.config).load_state(member.state())
            for query in questions:
                model.scores(query)
        found += _told(name, spent, len(questions))
    return tuple(found)


def _told(network: str, spent: Mapping[str, float], n: int) -> list[Layer]:
    total = sum(spent.values()) or 1.0
    rows = [Layer(network, layer, ms / max(n, 1), ms / total) for layer, ms in spent.items()]
    return sorted(rows, key=lambda row: -row.ms)


# -- space ----------------------------------------------------------------------------------------------------------


class _Growth:
    """Resident memory, part by part, in the order in which the parts are opened."""

    def __init__(self) -> None:
        self._before = 0
        self._rows: list[Held] = []

    def mark(self, name: str) -> None:
        """Count what came since the mark before as ``name``."""
        gc.collect()
        now = resident_bytes()
        self._rows.append(Held(name, now - self._before))
        self._before = now

    @property
    def found(self) -> tuple[Held, ...]:
        """Return the parts, and all together."""
        return (*self._rows, Held("together", self._before))


def _disk(bundle: Any) -> tuple[Held, ...]:
    """Return files and, of those with several arrays, the arrays; an encoder that lies elsewhere stands beside."""
    folder: Path = bundle.path
    files = [path for path in folder.rglob("*") if path.is_file()]
    rows = [Held(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]
    for name, arrays in bundle.state.arrays.items():
        file = f"pipeline/{name}.safetensors"
        rows += [Held(f"{file}: {key}", int(array.nbytes)) for key, array in arrays.items() if array.nbytes >= 1000]
    source = str(bundle.state.settings["config"].get("encoder", ""))
    if not bundle.state.files and (elsewhere := encoder_bytes(source)):
        rows.append(Held(f"encoder '{source}', which comes with Inkling", elsewhere))
    return tuple(sorted(rows, key=lambda row: -row.bytes))
