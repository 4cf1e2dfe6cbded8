"""The contract of a retriever: all items to some hundreds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run


@runtime_checkable
class Retriever(Protocol):
    """Finds candidates for people. One instance is configured once, fitted once, then only read (or updated).

    ``fit`` returns self. ``retrieve`` honours the query's ``allowed``, ``candidates`` and ``exclude`` before its top k,
    and answers from the query's history: what a person just did counts without another fit.
    ``state`` and ``load_state`` are plain arrays: what a bundle keeps.
    """

    name: str

    @property
    def config(self) -> Config: ...
    def fit(self, data: Dataset, run: Run) -> Self: ...
    def retrieve(self, query: Query, k: int) -> Candidates: ...
    def state(self) -> Mapping[str, Array]: ...
    def load_state(self, state: Mapping[str, Array]) -> Self: ...


@runtime_checkable
class Scorer(Protocol):
    """A retriever that can score the whole catalogue at once: (B, query.n_items), higher is better, 0 is no signal."""

    def scores(self, query: Query) -> F32: ...


@runtime_checkable
class Similar(Protocol):
    """A retriever that knows neighbours of items."""

    def similar(self, item_rows: I32, k: int) -> Candidates: ...


@runtime_checkable
class Placed(Protocol):
    """A retriever to whom people and items are vectors, (B, d) and (n, d): the larger their product, the better.

    Zeros are what nothing is known of. Who holds an index of ``vectors`` needs nothing else to answer.
    """

    @property
    def vectors(self) -> F32: ...
    def place(self, query: Query) -> F32: ...


@runtime_checkable
class Updatable(Protocol):
    """A model that learns from new events without another fit, cheaply enough for every event."""

    def update(self, events: Interactions) -> None: ...


@runtime_checkable
class ItemUpdatable(Protocol):
    """A model that takes in new or changed items by their language vectors (n, dim)."""

    def put_items(self, item_rows: I32, vectors: F32) -> None: ...


@runtime_checkable
class Carriable(Protocol):
    """A model that can begin from what it learned on other data, matched by texts, and by ids where they are equal.

    ``carry`` takes what ``state`` returned there and that data's item ids by row; the next ``fit`` begins from it.
    """

    def carry(self, state: Mapping[str, Array], item_ids: Sequence[str]) -> Self: ...


@runtime_checkable
class Explainable(Protocol):
    """A model that can say what its score for an item rests on; ``query`` holds one person."""

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]: ...


@dataclass(frozen=True, slots=True)
class Because:
    """One ground for a recommendation: a kind, the item of the history that it rests on (-1: none), and its weight.

    ``about`` names what else it rests on, such as an aspect.
    """

    kind: str
    item_row: int
    weight: float
    about: str = ""
