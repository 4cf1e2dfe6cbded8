"""The one value that travels from recall through ranking and policy to the answer and the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from inkling.core.arrays import F32, I8, I32, I64, Array


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items for B people, best first within each person, in flat columns (N in all).

    ``sources`` holds a code into ``source_names``; ``fields`` holds further columns of length N, such as the features
    that a ranker reads.
    """

    offsets: I64  # (B + 1,)
    item_rows: I32  # (N,)
    scores: F32  # (N,)
    sources: I8  # (N,)
    source_names: tuple[str, ...] = ("",)
    fields: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, offsets: I64, item_rows: I32, scores: F32, *, source: str) -> Candidates:
        """Return candidates that all come from one source."""
        return cls(offsets, item_rows, scores, np.zeros(len(item_rows), dtype=np.int8), (source,))

    @classmethod
    def empty(cls, n: int, *, source: str = "") -> Candidates:
        """Return no candidate for each of ``n`` people."""
        none = np.empty(0, dtype=np.int32)
        return cls.of(np.zeros(n + 1, dtype=np.int64), none, np.empty(0, dtype=np.float32), source=source)

    @property
    def segment_rows(self) -> I64:
        """Position in the batch (N,) of the person that each candidate belongs to."""
        if len(self.offsets) == 2:
            return np.zeros(len(self.item_rows), dtype=np.int64)
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    def rows_of(self, person: int) -> I32:
        """Return the item rows of one person of the batch, best first."""
        return self.item_rows[self.offsets[person] : self.offsets[person + 1]]

    def scores_of(self, person: int) -> F32:
        """Return the scores of one person of the batch, best first."""
        return self.scores[self.offsets[person] : self.offsets[person + 1]]

    def source_of(self, index: int) -> str:
        """Return the source's name of the candidate at a flat position."""
        return self.source_names[int(self.sources[index])]

    def select(self, flat: I64 | I32 | slice, offsets: I64) -> Candidates:
        """Return the candidates at flat positions under new ``offsets``; every column follows."""
        return Candidates(
            offsets,
            self.item_rows[flat],
            self.scores[flat],
            self.sources[flat],
            self.source_names,
            {name: column[flat] for name, column in self.fields.items()},
        )

    def keep(self, mask: Array) -> Candidates:
        """Return the candidates where ``mask`` (N,) is true, in the same order."""
        kept = np.concatenate([[0], np.cumsum(mask)])[self.offsets]
        return self.select(np.flatnonzero(mask), kept.astype(np.int64))

    def with_scores(self, scores: F32) -> Candidates:
        """Return the same candidates with new scores (N,), each list sorted by them (ties keep their order)."""
        order = _order_within(self.offsets, scores)
        fields = {name: column[order] for name, column in self.fields.items()}
        rows, sources = self.item_rows[order], self.sources[order]
        return Candidates(self.offsets, rows, scores[order], sources, self.source_names, fields)

    def with_fields(self, fields: Mapping[str, Array]) -> Candidates:
        """Return the same candidates with further columns (N,)."""
        joined = {**self.fields, **fields}
        return Candidates(self.offsets, self.item_rows, self.scores, self.sources, self.source_names, joined)

    def top(self, k: int) -> Candidates:
        """Return the first ``k`` candidates of each person."""
        if len(self) == 1:
            end = min(max(k, 0), len(self.item_rows))
            return self.select(slice(end), np.array([0, end], dtype=np.int64))
        lengths = np.minimum(np.diff(self.offsets), max(k, 0))
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        flat = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1] - offsets[:-1], lengths)
        return self.select(flat, offsets)


def _order_within(offsets: I64, scores: F32) -> I64:
    if len(offsets) == 2:
        return np.argsort(-scores, kind="stable")
    segment = np.repeat(
        np.arange(len(offsets) - 1, dtype=np.int16 if len(offsets) < 30000 else np.int64), np.diff(offsets)
    )
    return np.lexsort((-scores, segment))
