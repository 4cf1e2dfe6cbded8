"""What is asked: one or many people, what they did, when, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from inkling.core.arrays import F32, I16, I32, I64, Bool
from inkling.core.jagged import Jagged


@dataclass(frozen=True, slots=True)
class History:
    """What B people did, oldest first, in flat columns (N events in all).

    ``weights`` is the strength of each event as a positive signal (0: seen, but not a positive; below 0: a dislike).
    """

    offsets: I64  # (B + 1,)
    item_rows: I32  # (N,)
    ts: I64  # (N,) epoch milliseconds, or positions where the data has order only
    weights: F32  # (N,)
    events: I16  # (N,) codes into the event names of the engine or data set
    values: F32  # (N,) NaN where the event carries no number
    session_rows: I32  # (N,) sessions numbered from 0 within each person, oldest first

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def empty(cls, n: int) -> History:
        """Return the history of ``n`` people of whom nothing is known."""
        return cls.of_items(Jagged(np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32)))

    @classmethod
    def of_items(cls, items: Jagged, *, ts: I64 | None = None) -> History:
        """Return a history known by items alone: weight 1, event code 0, each item a session, times 0 unless given."""
        n = len(items.values)
        start = np.repeat(items.offsets[:-1], np.diff(items.offsets))
        return cls(
            offsets=items.offsets,
            item_rows=items.values,
            ts=np.zeros(n, dtype=np.int64) if ts is None else ts,
            weights=np.ones(n, dtype=np.float32),
            events=np.zeros(n, dtype=np.int16),
            values=np.full(n, np.nan, dtype=np.float32),
            session_rows=(np.arange(n) - start).astype(np.int32),
        )

    def take(self, people: Sequence[int] | I64 | I32) -> History:
        """Return the histories of the people at the given positions of the batch, in that order."""
        index = np.asarray(people, dtype=np.int64)
        lengths = np.diff(self.offsets)[index]
        offsets = np.zeros(len(index) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        flat = np.arange(offsets[-1]) + np.repeat(self.offsets[index] - offsets[:-1], lengths)
        return self.select(flat, offsets)

    def select(self, flat: I64, offsets: I64) -> History:
        """Return the events at positions ``flat`` under new ``offsets``."""
        return History(
            offsets,
            self.item_rows[flat],
            self.ts[flat],
            self.weights[flat],
            self.events[flat],
            self.values[flat],
            self.session_rows[flat],
        )


@dataclass(frozen=True, slots=True)
class Query:
    """A question for B >= 1 people.

    ``allowed`` limits the answer to a part of the catalogue for the whole batch (filters, items that exist);
    ``candidates`` limits it for each person; ``exclude`` takes items out for each person. Retrievers apply all three
    before their top k, so that k answers come back under a narrow filter.
    """

    history: History
    now: I64  # (B,) epoch milliseconds, or a position
    n_items: int  # size of the item vocabulary at this moment; dense scores have this width
    user_rows: I32  # (B,) -1 where the person is not known
    texts: tuple[str | None, ...] = ()  # () or B free texts
    text_vectors: Mapping[str, F32] = field(default_factory=dict)  # encoder name -> (B, dim), prepared by the engine
    context: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)  # name -> B values
    allowed: Bool | None = None  # (n_items,)
    candidates: Jagged | None = None
    exclude: Jagged | None = None

    def __len__(self) -> int:
        return len(self.history)

    def take(self, people: Sequence[int] | I64 | I32) -> Query:
        """Return the question for the people at the given positions of the batch, in that order."""
        index = np.asarray(people, dtype=np.int64)
        rows = index.tolist()
        return replace(
            self,
            history=self.history.take(index),
            now=self.now[index],
            user_rows=self.user_rows[index],
            texts=tuple(self.texts[i] for i in rows) if self.texts else (),
            text_vectors={name: vectors[index] for name, vectors in self.text_vectors.items()},
            context={name: tuple(values[i] for i in rows) for name, values in self.context.items()},
            candidates=_take_lists(self.candidates, rows),
            exclude=_take_lists(self.exclude, rows),
        )


def _take_lists(lists: Jagged | None, rows: list[int]) -> Jagged | None:
    return None if lists is None else Jagged.from_lists([lists[i] for i in rows])
