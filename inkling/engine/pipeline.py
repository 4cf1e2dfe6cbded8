"""The contract of a pipeline: recall, fuse, rank, policy behind few verbs. The engine owns ids, state and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import msgspec

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.registry import Registry
from inkling.core.run import Run
from inkling.engine.budget import Budget, Costs
from inkling.retrieval.base import Because

PIPELINES = Registry("inkling.engine.pipelines", kind="pipeline")


class Trace:
    """Milliseconds by stage of one answer, in the order of the stages; its budget, and what that left out."""

    __slots__ = ("budget", "left_out", "timings_ms")

    def __init__(self, budget_ms: float | None = None, costs: Costs | None = None) -> None:
        """Begin an answer that may take ``budget_ms`` from now on, None is no limit; ``costs`` is what parts take."""
        self.timings_ms: dict[str, float] = {}
        self.left_out: list[str] = []
        self.budget = Budget(budget_ms, costs, self.left_out)

    def remaining_ms(self) -> float:
        """Return what is left of the budget; infinity without one."""
        return self.budget.remaining_ms()

    def stage(self, name: str) -> Stage:
        """Return what adds the time spent inside it to the stage ``name``."""
        return Stage(self.timings_ms, name)


class Stage:
    """A stretch of time; plain methods, since a generator costs several times as much on the request path."""

    __slots__ = ("_name", "_start", "_timings_ms")

    def __init__(self, timings_ms: dict[str, float], name: str) -> None:
        self._timings_ms, self._name = timings_ms, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took = (time.perf_counter() - self._start) * 1000
        self._timings_ms[self._name] = self._timings_ms.get(self._name, 0.0) + took


class MemberReport(msgspec.Struct, frozen=True):
    """What one retriever brings to a pipeline, on validation."""

    name: str
    weight: float
    """Its weight in the fusion; 0 where it was left out."""
    alone: float
    """NDCG@10 of this member alone."""
    without: float
    """NDCG@10 of the fusion without it."""
    ms: float
    """Milliseconds for one answer of this member."""
    settings: dict[str, Any] = {}
    note: str = ""
    """Why it was left out, if it was."""


class PipelineReport(msgspec.Struct, frozen=True):
    """What a fit chose and why: measured on validation windows inside the training data only."""

    validation: dict[str, float] = {}
    """Metric of each way of ordering that was tried, such as fused and ranked."""
    chosen: str = ""
    members: tuple[MemberReport, ...] = ()
    features: dict[str, float] = {}
    """Feature -> share of the ranker's total gain."""
    fit_s: float = 0.0
    left_out: tuple[str, ...] = ()
    """What was left out, each with its reason: a missing extra, a size limit, the time limit."""
    ratings: dict[str, float] = {}
    """RMSE and MAE of the rating that ``score`` answers, on values held out; empty where it answers a probability."""
    reading: dict[str, float] = {}
    """NDCG@10 of a language model that teaches the ranker or reads candidates again, on the newest window, beside the
    fast order's; and the milliseconds of one candidate."""


class CacheCounts(msgspec.Struct, frozen=True):
    """How a cache did since it was made."""

    hits: int = 0
    misses: int = 0
    entries: int = 0
    bytes: int = 0

    @property
    def hit_rate(self) -> float:
        """Return hits / (hits + misses), 0 before the first question."""
        return self.hits / max(self.hits + self.misses, 1)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item stands where it stands, for one person."""

    kind: str
    """The strongest ground: repeat, because_item, popular, text, follows."""
    because: tuple[Because, ...] = ()
    contributions: Mapping[str, float] = field(default_factory=dict)
    """Signed share of each signal in the score; readable names."""
    features: Mapping[str, float] = field(default_factory=dict)
    """Every feature that the ranker read, by name."""


@dataclass(frozen=True, slots=True)
class PipelineState:
    """A fitted pipeline as plain data: settings that JSON can hold, arrays by component, and files."""

    settings: Mapping[str, Any]
    arrays: Mapping[str, Mapping[str, Array]]
    files: Mapping[str, Path] = field(default_factory=dict)
    """Files of the encoder, where a folder was named as one: its bundle carries a copy of them."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a pipeline of the same kind learned on other data, and that data's item ids by row."""

    state: PipelineState
    item_ids: Sequence[str]


@runtime_checkable
class Pipeline(Protocol):
    """All stages of an answer, fitted together.

    ``fit`` sees one data set and chooses members and weights on validation windows inside it; ``minutes`` bounds it
    where above 0. ``recommend`` includes the scenario's policies. ``observe`` takes in new events, ``put_items`` new or
    changed items (rows and their attributes); both are cheap.
    ``explain`` is for the one person of a question. ``mask_of`` in ``attach`` resolves a filter to a mask
    over items.
    """

    name: str

    @property
    def config(self) -> Config: ...

    def fit(self, data: Dataset, run: Run, *, minutes: float = 0.0) -> Self: ...
    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None: ...
    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]: ...
    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates: ...
    def score(self, query: Query, items: Jagged) -> F32: ...
    def similar(self, item_rows: I32, k: int, *, allowed: Bool | None = None) -> Candidates: ...
    def observe(self, events: Interactions) -> None: ...
    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None: ...
    def explain(self, query: Query, item_rows: I32) -> list[Explanation]: ...
    def report(self) -> PipelineReport: ...
    def save(self) -> PipelineState: ...
    def load(self, state: PipelineState) -> Self: ...


@runtime_checkable
class Reads(Pipeline, Protocol):
    """A pipeline whose items are served before they are read.

    ``list_items`` takes in at once what needs no reading; ``read`` turns texts into vectors (N, dim), slowly, on a
    thread that no question waits for; ``place_items`` takes these in, cheaply. ``vectors`` (n, dim) are those of all
    items, zero where nothing was read. ``forget`` drops what is kept of texts that must not be kept. ``encoder`` is the
    name under which ``encode`` returns vectors.
    """

    @property
    def encoder(self) -> str: ...
    @property
    def vectors(self) -> F32: ...
    def list_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None: ...
    def read(self, texts: Sequence[str]) -> F32: ...
    def place_items(self, item_rows: I32, vectors: F32) -> None: ...
    def forget(self, texts: Sequence[str]) -> None: ...


@runtime_checkable
class Refittable(Pipeline, Protocol):
    """A pipeline that can learn newer data without choosing anew."""

    def refit(self, data: Dataset, run: Run) -> Self: ...


@runtime_checkable
class Startable(Pipeline, Protocol):
    """A pipeline whose next fit can begin from what one of its kind learned on other data."""

    def start(self, given: Start) -> Self: ...
