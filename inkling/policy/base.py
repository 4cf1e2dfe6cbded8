"""The contract of a policy: the order to what is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from inkling.core.arrays import F32, I32, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query


@runtime_checkable
class Policy(Protocol):
    """Removes, moves or adds candidates; sees them in order, best first, and returns them in order.

    The order is the policy's word; the scores stay what the ranker said unless a rule changes them.
    """

    name: str

    @property
    def config(self) -> Config: ...
    def apply(self, query: Query, items: Candidates) -> Candidates: ...


@dataclass(slots=True)
class PolicyContext:
    """What policies know besides the candidates. The engine replaces the arrays when the catalogue changes."""

    vectors: F32 | None = None  # (n, dim) language vectors of length one, zero where unknown
    groups: I32 | None = None  # (n,) items with the same number are variants of one thing; -1: of none
    resolve: Callable[[Mapping[str, Any]], Bool] | None = None  # a filter -> a mask over items (n,)
    day: float = 86_400_000.0  # a day in the units of the timestamps
