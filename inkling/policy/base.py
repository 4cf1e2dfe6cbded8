"""The contract of a policy: the order to what is shown."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query


@runtime_checkable
class Policy(Protocol):
    """Removes, moves or adds candidates; sees them in order, best first, and returns them in order."""

    name: str
    config: Config

    def apply(self, query: Query, items: Candidates) -> Candidates: ...
