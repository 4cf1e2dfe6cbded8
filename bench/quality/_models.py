"""From a name to what is measured: ours by ``evaluate``'s own names, the last action repeated, and peers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from bench.peers._contender import PeerContender, peer
from bench.peers._known import KNOWN
from bench.quality._tasks import DEFAULT, FROZEN, LAST, UNSEEDED, Task
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.evaluation import models
from inkling.evaluation.contenders import Baseline, Contender, Fitted, PipelineContender, Settings
from inkling.protocol.leaks import Provenance
from inkling.retrieval import RETRIEVERS


@dataclass(frozen=True)
class Effort:
    """How much may be spent.

    Attributes:
        limit_s: Seconds of a peer's training by epochs; 0 is no limit.
        minutes: Limit of one fit of ``default``; 0 is none.
        n_threads: Cores that a fit may use.
        quick: The first settings, an epoch or two, one cut: to see that everything runs.
    """

    limit_s: float = 900.0
    minutes: float = 0.0
    n_threads: int = 1
    quick: bool = False


@dataclass(frozen=True)
class LastAction:
    """Says that what a person did last they do again, before that what they did before: the bar on ``smarthome``."""

    name: str = LAST
    provenance: tuple[Provenance, ...] = ()

    def choose(self, fold: Any, run: Run) -> Settings:
        """Return no settings."""
        return {}

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Return the answer itself: there is nothing to learn."""
        return Fitted(newest_first)


@dataclass
class Chosen:
    """A contender whose settings were chosen before: fold -> settings."""

    contender: Contender
    kept: dict[str, dict[str, Any]]
    name: str = ""
    provenance: Sequence[Provenance] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        self.name, self.provenance = self.contender.name, self.contender.provenance

    def choose(self, fold: Any, run: Run) -> Settings:
        """Return what was chosen for the fold; choose where nothing was."""
        return self.kept[fold.name] if fold.name in self.kept else self.contender.choose(fold, run)

    def fit(self, data: Dataset, settings: Settings, run: Run) -> Fitted:
        """Fit the contender."""
        return self.contender.fit(data, settings, run)


def newest_first(query: Query, k: int) -> Candidates:
    """Return each person's distinct items, the newest first, as far as they may be recommended."""
    lists = []
    for person in range(len(query)):
        mine = query.history.item_rows[query.history.offsets[person] : query.history.offsets[person + 1]]
        _, places = np.unique(mine[::-1], return_index=True)
        ordered = mine[::-1][np.sort(places)]
        allowed = query.allowed[ordered] if query.allowed is not None else np.ones(len(ordered), dtype=np.bool_)
        barred = query.exclude[person] if query.exclude is not None else np.empty(0, dtype=np.int32)
        lists.append(ordered[allowed & ~np.isin(ordered, barred)][:k])
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    scores = [np.arange(len(one), 0, -1, dtype=np.float32) for one in lists]
    return Candidates.of(offsets, np.concatenate(lists).astype(np.int32), np.concatenate(scores), source=LAST)


def is_there(name: str) -> bool:
    """Return whether a model of ours is part of this version."""
    return name in (LAST, DEFAULT, FROZEN) or name in models.BASELINES or name in RETRIEVERS.names()


def is_seeded(name: str) -> bool:
    """Return whether a seed changes anything."""
    return KNOWN[name].seeded if name in KNOWN else name not in UNSEEDED


def contender(name: str, task: Task, scenario: Scenario, effort: Effort, told: list[Any]) -> Contender:
    """Return what a name stands for.

    Args:
        name: Of a peer, or one that ``evaluate`` knows.
        task: Bounds the cost of some.
        scenario: Names the pipeline ``default``.
        effort: How much may be spent.
        told: Where fits of ``default`` put what they tell about themselves.

    Raises:
        ConfigError: There is no such model.
    """
    if name in KNOWN:
        return peer(name, limit_s=effort.limit_s, n_threads=effort.n_threads, quick=effort.quick)
    if name == LAST:
        return LastAction()
    found = models.contender(name, scenario, minutes=effort.minutes)
    if isinstance(found, PipelineContender):
        settings = {**found.settings, **task.fixed.get(name, {})}
        return replace(
            found, settings=settings, on_fit=lambda pipeline: told.append(msgspec.to_builtins(pipeline.report()))
        )
    if isinstance(found, Baseline):
        return _bound(found, task.fixed.get(name, {}), quick=effort.quick)
    return found


def latency_of(model: Contender) -> Any:
    """Return what a peer timed inside its own process; None for our own."""
    inner = model.contender if isinstance(model, Chosen) else model
    return inner.latency if isinstance(inner, PeerContender) else None


def _bound(found: Baseline, fixed: Settings, *, quick: bool) -> Baseline:
    """Return the retriever with settings that bound its cost; a quick one is not tuned and learns for two epochs."""
    known = RETRIEVERS.get(found.retriever).Config.__struct_fields__
    short = {"epochs": 2} if quick and "epochs" in known else {}
    return replace(found, fixed={**found.fixed, **fixed}, grid=_shortened(found.grid, short, quick=quick))


def _shortened(grid: tuple[Settings, ...], short: Settings, *, quick: bool) -> tuple[Settings, ...]:
    return ({**grid[0], **short},) if quick else grid
