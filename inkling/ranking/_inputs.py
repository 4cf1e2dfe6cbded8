"""What a network reads: numbers and context of each candidate, the candidate's id, and what the person had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.query import History, Query
from inkling.ranking._moments import Moments
from inkling.ranking._numbers import Numbers, Treatment
from inkling.ranking.base import RankingSet

_LEAST_SEEN = 3  # an id met less often tells nothing but itself
_DAY_MS = 86_400_000.0


class Inputs(NamedTuple):
    """N candidates of B people, in arrays of numpy or of torch. An item's code 0 is an item that is not known."""

    x: Any  # (N, D) float32
    items: Any  # (N,) int64 codes
    people: Any  # (N,) int64 rows of ``history``
    history: Any  # (B, L) int64 codes of what each had, the newest first, 0 beyond the end
    ages: Any  # (B, L) float32 log(1 + days) since then


@dataclass(frozen=True)
class Ids:
    """Which items have a code, and how much of a history is read."""

    codes: I32  # (n_items,) 0 where the item has none
    n_codes: int
    length: int

    @classmethod
    def learn(cls, data: RankingSet, length: int) -> Self:
        """Give a code to each item that people had or took often enough; none where no history is read."""
        if length <= 0:
            return cls(np.zeros(0, dtype=np.int32), 0, 0)
        taken = data.candidates.item_rows[data.labels > 0]
        rows = np.concatenate([taken, data.query.history.item_rows[data.query.history.weights > 0]])
        often = np.bincount(rows, minlength=data.query.n_items) >= _LEAST_SEEN
        codes = np.where(often, np.cumsum(often), 0).astype(np.int32)
        return cls(codes, int(often.sum()), length)

    def of(self, item_rows: I32 | I64) -> I64:
        """Return codes (N,); an item that came after the fit has none."""
        if not len(self.codes):
            return np.zeros(len(item_rows), dtype=np.int64)
        inside = item_rows < len(self.codes)
        return np.where(inside, self.codes[np.where(inside, item_rows, 0)], 0).astype(np.int64)

    def recent(self, history: History, now: I64) -> tuple[I64, F32]:
        """Return codes and ages (B, L) of the newest positive events with items that have a code."""
        codes = self.of(history.item_rows)
        told = np.flatnonzero((history.weights > 0) & (codes > 0))
        ends = np.searchsorted(told, history.offsets)
        wide = min(int(np.diff(ends).max(initial=0)), self.length)
        back = ends[1:, None] - 1 - np.arange(wide)  # positions in ``told``, the newest first
        inside = back >= ends[:-1, None]
        flat = told[np.where(inside, back, 0)] if len(told) else np.zeros(back.shape, dtype=np.int64)
        if not len(told):
            return np.zeros((len(history), 0), dtype=np.int64), np.zeros((len(history), 0), dtype=np.float32)
        days = np.maximum(now[:, None] - history.ts[flat], 0) / _DAY_MS
        return np.where(inside, codes[flat], 0), np.where(inside, np.log1p(days), 0).astype(np.float32)


@dataclass(frozen=True)
class InputReader:
    """Turns a question and its candidates into :class:`Inputs`, as training saw them."""

    numbers: Numbers
    moments: Moments
    ids: Ids

    @classmethod
    def learn(cls, data: RankingSet, names: Sequence[str], *, how: Treatment, length: int) -> Self:
        """Learn scales, contexts and codes.

        Raises:
            DataError: The set does not hold a question for each person.
        """
        if len(data.query) != len(data.candidates):
            raise DataError(
                f"There are candidates of {len(data.candidates)} people, but {len(data.query)} were asked about.",
                hint="Join sets by RankingSet.join, which keeps each person's question.",
            )
        return cls(Numbers.learn(data.candidates, names, how), Moments.learn(data.query), Ids.learn(data, length))

    @property
    def width(self) -> int:
        """Return D: numbers, what is missing, context."""
        return self.numbers.width + self.moments.width

    @property
    def fields(self) -> I64:
        """Return the field (D,) that each input belongs to: a column with what is missing of it, or a context."""
        return np.concatenate([self.numbers.owners, self.moments.owners + len(self.numbers.names)])

    def read(self, query: Query, items: Candidates) -> Inputs:
        """Return the inputs of candidates, in their order."""
        people = items.segment_rows
        x = self.numbers.read(items)
        if self.moments.width:
            x = np.concatenate([x, self.moments.read(query)[people]], axis=1)
        history, ages = self.ids.recent(query.history, query.now)
        return Inputs(np.ascontiguousarray(x), self.ids.of(items.item_rows), people, history, ages)

    def state(self) -> dict[str, Array]:
        """Return everything as arrays."""
        ids = {"ids.codes": self.ids.codes, "ids.sizes": np.array([self.ids.n_codes, self.ids.length])}
        return {**self.numbers.state(), **self.moments.state(), **ids}

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        n_codes, length = np.array(state["ids.sizes"]).tolist()
        ids = Ids(np.array(state["ids.codes"]), n_codes, length)
        return cls(Numbers.of_state(state), Moments.of_state(state), ids)
