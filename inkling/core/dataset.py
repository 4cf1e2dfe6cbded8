"""What a model is fitted on: the events in rows of shared vocabularies, and the tables beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I16, I32, I64, Array, Bool
from inkling.core.query import History, Query
from inkling.core.scenario import Scenario
from inkling.core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from inkling.core.tables import Items, Links, People


@dataclass(frozen=True)
class Interactions:
    """Events in rows, sorted by time; ties keep the file's order. N events in all.

    ``weights`` is the strength as a positive signal: above 0 for positive events and signals, 0 otherwise. ``positive``
    marks what may be a target.
    """

    user_rows: I32  # (N,)
    item_rows: I32  # (N,)
    ts: I64  # (N,) UTC epoch milliseconds, or a position
    weights: F32  # (N,)
    positive: Bool  # (N,)
    events: I16  # (N,) codes into event_names
    values: F32  # (N,) NaN where missing
    session_rows: I32  # (N,) sessions numbered over the whole table; -1 where unknown
    event_names: tuple[str, ...]
    context: Mapping[str, Array] = field(
        default_factory=dict
    )  # name -> (N,) int32 codes into context_values[name]; -1 missing
    context_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Array = field(default_factory=lambda: np.empty(0, dtype=object))  # (N,) what was said or None; (0,) nothing

    def __len__(self) -> int:
        return len(self.user_rows)

    def select(self, index: I64 | Bool) -> Interactions:
        """Return the events at positions ``index`` or under a mask, in that order."""
        columns = ("user_rows", "item_rows", "ts", "weights", "positive", "events", "values", "session_rows")
        picked = {name: getattr(self, name)[index] for name in columns}
        context = {name: column[index] for name, column in self.context.items()}
        return replace(self, **picked, context=context, texts=self.texts[index] if len(self.texts) else self.texts)

    def until(self, ts: int) -> Interactions:
        """Return the events with a time up to and including ``ts``."""
        return self.select(np.arange(np.searchsorted(self.ts, ts, side="right")))

    def positives(self) -> Interactions:
        """Return the positive events only."""
        return self.select(self.positive)

    @cached_property
    def _by_user(self) -> tuple[I64, I64]:
        """Return the order by person (stable, so by time within a person) and the sorted persons' start positions."""
        order = np.argsort(self.user_rows, kind="stable")
        n_users = int(self.user_rows.max()) + 1 if len(self) else 0
        starts = np.searchsorted(self.user_rows[order], np.arange(n_users + 1))
        return order, starts.astype(np.int64)

    def histories(self, user_rows: I32, *, max_events: int = 0) -> History:
        """Return the events of the given people, oldest first; the last ``max_events`` of each where it is above 0."""
        order, starts = self._by_user
        n_known = len(starts) - 1
        known = (user_rows >= 0) & (user_rows < n_known)
        safe = np.where(known, user_rows, 0)
        begin = np.where(known, starts[safe], 0) if n_known > 0 else np.zeros(len(user_rows), dtype=np.int64)
        end = np.where(known, starts[safe + 1], 0) if n_known > 0 else begin
        if max_events > 0:
            begin = np.maximum(begin, end - max_events)
        offsets = np.zeros(len(user_rows) + 1, dtype=np.int64)
        np.cumsum(end - begin, out=offsets[1:])
        flat = order[np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], end - begin)]
        return self._history(flat, offsets)

    def last_contexts(self, user_rows: I32) -> dict[str, tuple[str | None, ...]]:
        """Return the context of each person's newest event that has one: what is known of where they are."""
        found: dict[str, tuple[str | None, ...]] = {}
        for name, newest in self._newest_contexts.items():
            inside = (user_rows >= 0) & (user_rows < len(newest) - 1)
            values = self.context_values[name]
            mine = newest[np.where(inside, user_rows, len(newest) - 1)].tolist()
            found[name] = tuple(values[code] if code >= 0 else None for code in mine)
        return found

    @cached_property
    def _newest_contexts(self) -> dict[str, I32]:
        """Return the code of each person's newest event by column; the last place stands for unknown people."""
        found = {}
        for name, codes in self.context.items():
            newest = np.full(int(self.user_rows.max(initial=-1)) + 2, -1, dtype=np.int32)
            has = codes >= 0
            newest[self.user_rows[has]] = codes[has]  # later events overwrite earlier ones
            found[name] = newest
        return found

    def _history(self, flat: I64, offsets: I64) -> History:
        return History(
            offsets,
            self.item_rows[flat],
            self.ts[flat],
            self.weights[flat],
            self.events[flat],
            self.values[flat],
            relabel_sessions(self.session_rows[flat], offsets),
        )


def relabel_sessions(session_rows: I32, offsets: I64) -> I32:
    """Number sessions from 0 within each person, up by one at each change; -1 is a session of its own."""
    n = len(session_rows)
    if n == 0:
        return session_rows.astype(np.int32)
    new = np.ones(n, dtype=np.int64)
    new[1:] = (session_rows[1:] != session_rows[:-1]) | (session_rows[1:] < 0)
    first = offsets[:-1][np.diff(offsets) > 0]
    new[first] = 1
    running = np.cumsum(new)
    return (running - np.repeat(running[first], np.diff(offsets)[np.diff(offsets) > 0])).astype(np.int32)


@dataclass(frozen=True)
class Dataset:
    """Everything that a ``fit`` may look at. Nothing in it is younger than ``until``.

    ``known_items`` marks the items that exist at ``until``: those with a catalogue row that existed, and those with an
    event. ``items`` and ``people`` are aligned with the vocabularies.
    """

    interactions: Interactions
    user_ids: Vocabulary
    item_ids: Vocabulary
    scenario: Scenario
    items: Items
    people: People | None = None
    links: Links | None = None
    known_items: Bool = field(default_factory=lambda: np.empty(0, dtype=np.bool_))  # (n_items,)
    until: int = 0
    fingerprint: str = ""

    @property
    def n_items(self) -> int:
        """Return the size of the item vocabulary."""
        return len(self.item_ids)

    @property
    def n_users(self) -> int:
        """Return the size of the user vocabulary."""
        return len(self.user_ids)

    def cut(self, ts: int) -> Dataset:
        """Return the same data as it was known at ``ts``: earlier events only, items that existed by then.

        A purchase that was taken back after ``ts`` is still there in the events of ``ts`` only if the table was built
        from uncancelled events; use ``events.build`` on each part where cancellations matter.
        """
        earlier = self.interactions.until(ts)
        known = self.listed(ts)
        known[earlier.item_rows] = True
        return replace(self, interactions=earlier, known_items=known & self.known_items, until=min(ts, self.until))

    def listed(self, ts: int) -> Bool:
        """Return (n_items,) which items have a catalogue row that existed at ``ts`` (or whose date is not known)."""
        import polars as pl

        frame = self.items.frame
        if frame.width < 2:
            return np.zeros(self.n_items, dtype=np.bool_)
        there = pl.any_horizontal(pl.exclude("item_id").is_not_null())
        if self.scenario.time == "real" and "created_at" in frame.columns:
            there = there & (pl.col("created_at").is_null() | (pl.col("created_at") <= ts))
        mask: Bool = frame.select(there.alias("there"))["there"].to_numpy().copy()
        return mask

    def query(self, user_rows: I32, *, now: int | None = None, max_events: int = 0) -> Query:
        """Return a question for the given people with their history in this data, asked at ``now`` (default: until)."""
        moment = self.until if now is None else now
        return Query(
            history=self.interactions.histories(user_rows, max_events=max_events),
            now=np.full(len(user_rows), moment, dtype=np.int64),
            n_items=self.n_items,
            user_rows=user_rows,
            context=self.interactions.last_contexts(user_rows),
            allowed=self.known_items,
        )
