"""Several item-to-item models answered in one pass: their neighbour lists side by side, one gather, one sum.

Each model says the same as when it is asked alone (a test holds it to that); together they cost little more than one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.query import Query
from inkling.retrieval._taste import Taste
from inkling.retrieval.base import Retriever

_WIDE_CELLS = 20_000_000  # up to so many cells are held in the types that bincount reads without a copy


@runtime_checkable
class Listed(Protocol):
    """A retriever whose scores are sums over neighbour lists of what a person had."""

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n, K) by item row, or None where the model is dense."""

    def taste(self, query: Query, person: int) -> Taste:
        """Return what of a person's history is looked up, and with what weights."""

    def taste_key(self) -> object:
        """Return something equal for models whose tastes are equal."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Models that read a history alike: one lookup serves them all."""

    reader: Listed
    places: Array  # (n, sum of K) item row + the model's place in the stack * width
    strengths: Array  # (n, sum of K)


class Stack:
    """The listed ones among some members, for a catalogue of up to ``width`` items."""

    def __init__(self, members: Mapping[str, Retriever], n_items: int) -> None:
        """Lay the neighbour lists of all members that have them side by side."""
        self.width = -(-max(n_items, 1) // 1024) * 1024  # room to grow without laying out anew
        self.slots: list[int] = []
        found: dict[object, list[tuple[int, Listed, I32, F32]]] = {}
        for slot, member in enumerate(members.values()):
            if isinstance(member, Listed) and (lists := member.lists()) is not None:
                found.setdefault(member.taste_key(), []).append((len(self.slots), member, *lists))
                self.slots.append(slot)
        cells = sum(strengths.size for group in found.values() for _, _, _, strengths in group)
        self._groups = [self._laid_out(group, wide=cells <= _WIDE_CELLS) for group in found.values()]

    def _laid_out(self, group: Sequence[tuple[int, Listed, I32, F32]], *, wide: bool) -> _Group:
        index: type = np.int64 if wide else np.int32
        amount: type = np.float64 if wide else np.float32
        ends = np.cumsum([0, *(strengths.shape[1] for _, _, _, strengths in group)]).tolist()
        shape = (len(group[0][3]), ends[-1])
        # Written where they stay: copies made on the way would be a tenth of a served shop's memory.
        places, amounts = np.empty(shape, dtype=index), np.empty(shape, dtype=amount)
        for (at, _, neighbours, strengths), begin, end in zip(group, ends[:-1], ends[1:], strict=True):
            np.add(neighbours, at * self.width, out=places[:, begin:end], casting="unsafe")
            amounts[:, begin:end] = strengths
        return _Group(group[0][1], places, amounts)

    def scores(self, query: Query, person: int) -> F64:
        """Return (members of the stack, n_items)."""
        n = len(self.slots)
        tastes = [group.reader.taste(query, person) for group in self._groups]
        sizes = [len(taste.rows) * group.places.shape[1] for taste, group in zip(tastes, self._groups, strict=True)]
        if not sizes:
            return np.empty((0, query.n_items))
        places = np.empty(sum(sizes), dtype=self._groups[0].places.dtype)
        amounts = np.empty(len(places), dtype=self._groups[0].strengths.dtype)
        begin = 0
        for taste, group, size in zip(tastes, self._groups, sizes, strict=True):
            shape, part = (len(taste.rows), -1), slice(begin, begin + size)
            begin += size
            if size:  # rows are always inside the lists; "clip" only spares numpy a buffered copy
                group.places.take(taste.rows, axis=0, out=places[part].reshape(shape), mode="clip")
                amount = amounts[part].reshape(shape)
                group.strengths.take(taste.rows, axis=0, out=amount, mode="clip")
                amount *= taste.weights[:, None]
        summed: F64 = np.bincount(places, amounts, n * self.width)  # type: ignore[assignment]  # weights make it float
        return summed.reshape(n, self.width)[:, : query.n_items]
