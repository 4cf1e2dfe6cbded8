"""The contract of a ranker: some hundreds to an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from inkling.core.arrays import F32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run


@dataclass(frozen=True, slots=True)
class RankingSet:
    """Labelled candidates: what a ranker learns from. ``labels`` is 1 where the person took the item, else 0."""

    query: Query
    candidates: Candidates  # with the features in ``fields``
    labels: F32  # (N,)
    weights: F32 | None = None  # (N,)


@runtime_checkable
class Ranker(Protocol):
    """Orders candidates by the feature columns in their ``fields``; knows the names of those that it was fitted on."""

    name: str

    @property
    def config(self) -> Config: ...
    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self: ...
    def score(self, query: Query, items: Candidates) -> Candidates: ...
    def state(self) -> Mapping[str, Array]: ...
    def load_state(self, state: Mapping[str, Array]) -> Self: ...


@runtime_checkable
class Attributable(Protocol):
    """A ranker that can split a score into signed contributions by feature: name -> (N,)."""

    def contributions(self, items: Candidates) -> Mapping[str, F32]: ...
