"""What all item-to-item models share: an answer is a sum of what the items of a history say about others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.query import Query
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import Taste, TasteConfig, grounds, taste_key, taste_of
from inkling.retrieval.base import Because


class Said(Protocol):
    """What items say about items: lists of neighbours, or a matrix."""

    def __len__(self) -> int: ...
    def score(self, taste: Taste, n_items: int) -> F32: ...
    def lists(self) -> tuple[I32, F32] | None: ...
    def contributions(self, taste: Taste, item_row: int) -> tuple[I32, F32]: ...
    def similar(self, item_rows: I32, k: int, *, source: str) -> Candidates: ...
    def to_arrays(self) -> dict[str, Array]: ...
    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Said: ...


class ItemToItem:
    """Everything but the fit: a model sets ``_said`` and ``_day`` there, and answers from a history's taste."""

    name: str
    config: Any
    ground: ClassVar[str] = "because_item"
    """The kind of the grounds that :meth:`why` gives."""
    _said: Said
    _day: float = float("inf")

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what each person's history says of every item."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        for person, row in enumerate(out):
            row[:] = self._said.score(self.taste(query, person), query.n_items)
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n_items, K), or None where all weights are kept."""
        return self._said.lists()

    def taste(self, query: Query, person: int) -> Taste:
        """Return what of a person's history is looked up, and with what weights."""
        return taste_of(query, person, len(self._said), self._reading(), self._day)

    def taste_key(self) -> object:
        """Return what tastes depend on besides the question: models with equal keys read a history alike."""
        return taste_key(self._reading(), len(self._said), self._day)

    def _reading(self) -> TasteConfig:
        config: TasteConfig = self.config
        return config

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that each person's history says most for."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items that each item says most for."""
        return self._said.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the items of the history that speak for ``item_row``, or against it (negative weight)."""
        return grounds(self.ground, *self._said.contributions(self.taste(query, 0), item_row))

    def state(self) -> Mapping[str, Array]:
        """Return what items say about items, and how long a day is."""
        return {**self._said.to_arrays(), "day": np.array([self._day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._said, self._day = type(self._said).from_arrays(state), float(state["day"][0])
        return self
