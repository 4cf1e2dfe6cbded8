"""What is asked: one or many people, what they did, when, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from inkling.core.arrays import F32, I16, I32, I64, Bool
from inkling.core.jagged import Jagged


@dataclass(frozen=True, slots=True)
class Visits:
    """M positive events sorted by person and item, oldest first: P pairs of a person and an item, B people."""

    positive: I64  # (M,) positions in the history, in its order
    edges: tuple[int, ...]  # (B + 1,) where each person's begin in it
    flat: I64  # (M,) the same positions, sorted
    starts: I64  # (P,) where each pair begins in ``flat``
    ends: I64  # (P,)
    fresh: Bool  # (M,) whether an event of ``flat`` is the first of its pair and session
    pair_edges: tuple[int, ...]  # (B + 1,) where each person's pairs begin
    plain: bool  # no row is below 0, and sessions never go back
    width: int  # rows are below this

    @classmethod
    def of(cls, history: History) -> Visits:
        """Sort the positive events of ``history``."""
        positive = (history.weights > 0).nonzero()[0]
        rows, sessions, offsets = history.item_rows[positive], history.session_rows[positive], history.offsets
        n = len(positive)
        width = int(rows.max()) + 1 if n else 0
        if len(history) == 1:
            edges, key = (0, n), rows
        else:
            edges = tuple(positive.searchsorted(offsets).tolist())
            key = np.repeat(np.arange(len(history), dtype=np.int64) * max(width, 1), np.diff(edges)) + rows
        order = key.argsort(kind="stable")
        sorted_key, sorted_sessions = key[order], sessions[order]
        first = np.ones(n, dtype=np.bool_)
        np.not_equal(sorted_key[1:], sorted_key[:-1], out=first[1:])
        starts = first.nonzero()[0]
        ends = np.empty(len(starts), dtype=np.int64)
        ends[:-1], ends[-1:] = starts[1:], n
        steps = sorted_sessions[1:] != sorted_sessions[:-1]
        fresh = first.copy()
        fresh[1:] |= steps
        back = (sorted_sessions[1:] < sorted_sessions[:-1]) & ~first[1:]
        plain = not n or (int(rows.min()) >= 0 and not back.any())
        pair_edges = (0, len(starts)) if len(edges) == 2 else tuple(starts.searchsorted(edges).tolist())
        return cls(positive, edges, order if n == len(history.weights) else positive[order], starts, ends, fresh,
                   pair_edges, plain, width)  # fmt: skip

    def last(self, person: int) -> I64:
        """Return the position of a person's last event with each item, by item."""
        return self.flat[self.ends[self.pair_edges[person] : self.pair_edges[person + 1]] - 1]

    def last_of_session(self, person: int) -> I64:
        """Return the position of a person's last event with each item in each session, by item."""
        span = slice(self.edges[person], self.edges[person + 1])
        own, fresh = self.flat[span], self.fresh[span]
        ending = np.ones(len(own), dtype=np.bool_)
        ending[:-1] = fresh[1:]
        return own[ending]


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
    _kept: list[Visits] = field(default_factory=list, repr=False, compare=False)

    def visits(self) -> Visits:
        """Return the positive events by person and item; sorted once, whoever asks."""
        if not self._kept:
            self._kept.append(Visits.of(self))
        return self._kept[0]

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
        return len(self.history.offsets) - 1

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


def joined(queries: Sequence[Query]) -> Query:
    """Return several questions as one, person after person; limits on candidates are left behind.

    Where one question knows a context or a text that another does not, it is unknown there.
    """
    if len(queries) == 1:
        return queries[0]
    parts = [query.history for query in queries]
    starts = np.cumsum([0, *(len(part.item_rows) for part in parts)])
    return Query(
        history=History(
            np.concatenate([[0], *(part.offsets[1:] + at for part, at in zip(parts, starts, strict=False))]),
            np.concatenate([part.item_rows for part in parts]),
            np.concatenate([part.ts for part in parts]),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.events for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.session_rows for part in parts]),
        ),
        now=np.concatenate([query.now for query in queries]),
        n_items=max(query.n_items for query in queries),
        user_rows=np.concatenate([query.user_rows for query in queries]),
        context={name: _contexts(queries, name) for name in dict.fromkeys(n for one in queries for n in one.context)},
    )


def _contexts(queries: Sequence[Query], name: str) -> tuple[str | None, ...]:
    return tuple(value for query in queries for value in query.context.get(name, (None,) * len(query)))


def _take_lists(lists: Jagged | None, rows: list[int]) -> Jagged | None:
    return None if lists is None else Jagged.from_lists([lists[i] for i in rows])
