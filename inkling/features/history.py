"""A history summed up by (person, item) and by person, once for all groups of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Bool
from inkling.core.query import History

HALF_LIFE_MS = 30 * 86_400_000.0


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """P distinct (person, item) pairs of positive events, sorted by key = person * n_items + item; B people."""

    n_items: int
    keys: I64  # (P,)
    counts: F32  # (P,) positive events
    sessions: F32  # (P,) distinct sessions
    first_ts: I64  # (P,)
    last_ts: I64  # (P,)
    faded: F32  # (P,) positive events, each halved with every 30 days of age
    back: F32  # (P,) sessions since the one of the last event; 0 is the newest session
    seen_keys: I64  # (Q,) keys of all events, positive or not
    n_events: F32  # (B,) positive events
    n_sessions: F32  # (B,)
    person_first_ts: I64  # (B,)
    person_last_ts: I64  # (B,)

    @classmethod
    def of(cls, history: History, n_items: int, now: I64) -> Self:
        """Sum up ``history`` as of ``now`` (B,); events of a person are in the order of time."""
        people = np.repeat(np.arange(len(history), dtype=np.int64), np.diff(history.offsets))
        every = people * n_items + history.item_rows
        positive = history.weights > 0
        key, ts, session, person = (
            every[positive],
            history.ts[positive],
            history.session_rows[positive],
            people[positive],
        )
        order = np.argsort(key, kind="stable")
        key, sorted_ts, sorted_session = key[order], ts[order], session[order]
        start, end = _runs(key)
        fresh = np.ones(len(key), dtype=np.float32)
        fresh[1:] = (key[1:] != key[:-1]) | (sorted_session[1:] != sorted_session[:-1])
        n_events, n_sessions, first, last = _by_person(person, ts, session, len(history))
        newest = np.zeros(len(history), dtype=np.int64)
        np.maximum.at(newest, person, session)
        fade = np.exp2(np.minimum(ts - now[person], 0)[order] / HALF_LIFE_MS).astype(np.float32)
        return cls(
            n_items=n_items,
            keys=key[start],
            counts=(end - start).astype(np.float32),
            sessions=np.add.reduceat(fresh, start) if len(start) else np.empty(0, dtype=np.float32),
            first_ts=sorted_ts[start],
            last_ts=sorted_ts[end - 1] if len(end) else sorted_ts[:0],
            faded=np.add.reduceat(fade, start) if len(start) else fade,
            back=(newest[key[start] // max(n_items, 1)] - sorted_session[end - 1]).astype(np.float32),
            seen_keys=np.unique(every) if not positive.all() else key[start],
            n_events=n_events,
            n_sessions=n_sessions,
            person_first_ts=first,
            person_last_ts=last,
        )

    def find(self, people: I64, item_rows: I32) -> tuple[I64, Bool]:
        """Return the pair's position (N,) for each candidate, and whether there is one (else the position is 0)."""
        return _find(self.keys, people * self.n_items + item_rows)

    def seen(self, people: I64, item_rows: I32) -> Bool:
        """Return (N,) whether the person had any event with the item."""
        return _find(self.seen_keys, people * self.n_items + item_rows)[1]


def _find(keys: I64, wanted: I64) -> tuple[I64, Bool]:
    if len(keys) == 0:
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit: Bool = keys[at] == wanted
    return np.where(hit, at, 0), hit


def _runs(key: I64) -> tuple[I64, I64]:
    """Return start and end positions of equal values in a sorted array."""
    if len(key) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    start = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1]).astype(np.int64)
    return start, np.append(start[1:], len(key)).astype(np.int64)


def _by_person(person: I64, ts: I64, session: I32, n: int) -> tuple[F32, F32, I64, I64]:
    edges = np.searchsorted(person, np.arange(n + 1))
    counts = np.diff(edges)
    fresh = np.ones(len(person), dtype=np.int64)
    fresh[1:] = (person[1:] != person[:-1]) | (session[1:] != session[:-1])
    running = np.concatenate([[0], np.cumsum(fresh)])
    has = counts > 0
    first, last = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    first[has], last[has] = ts[edges[:-1][has]], ts[edges[1:][has] - 1]
    return counts.astype(np.float32), (running[edges[1:]] - running[edges[:-1]]).astype(np.float32), first, last
