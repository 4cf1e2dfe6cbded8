"""A history summed up by (person, item) and by person, once for all groups of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Bool
from inkling.core.query import History, Visits

HALF_LIFE_MS = 30 * 86_400_000.0


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """P distinct (person, item) pairs of positive events, sorted by key = person * n_items + item; B people."""

    n_items: int
    keys: I64  # (P,)
    owner: I64  # (P,) whose pair it is
    counts: F32  # (P,) positive events
    sessions: F32  # (P,) distinct sessions
    first_ts: I64  # (P,)
    last_ts: I64  # (P,)
    faded: F32  # (P,) positive events, each halved with every 30 days of age
    back: F32  # (P,) sessions since the one of the last event; 0 is the newest session
    history: History
    n_events: F32  # (B,) positive events
    n_sessions: F32  # (B,)
    person_first_ts: I64  # (B,)
    person_last_ts: I64  # (B,)

    @classmethod
    def of(cls, history: History, n_items: int, now: I64) -> Self:
        """Sum up ``history`` as of ``now`` (B,); events of a person are in the order of time."""
        visits, one = history.visits(), len(history) == 1
        flat, start, end = visits.flat, visits.starts, visits.ends
        ts, session, item = history.ts[flat], history.session_rows[flat], history.item_rows[flat[start]]
        person = np.zeros(1, dtype=np.int64) if one else np.repeat(np.arange(len(history)), np.diff(visits.edges))
        owner = np.zeros(len(start), dtype=np.int64) if one else person[start]
        n_events, n_sessions, first, last, newest = _by_person(history, visits)
        fade = np.exp2(np.minimum(ts - now[person], 0) / HALF_LIFE_MS).astype(np.float32)
        has = len(start) > 0
        keys: I64 = item.astype(np.int64) if one else owner * n_items + item
        return cls(
            n_items=n_items,
            keys=keys,
            owner=owner,
            counts=(end - start).astype(np.float32),
            sessions=np.add.reduceat(visits.fresh, start, dtype=np.float32) if has else fade,
            first_ts=ts[start],
            last_ts=ts[end - 1],
            faded=np.add.reduceat(fade, start) if has else fade,
            back=(newest[owner] - session[end - 1]).astype(np.float32),
            history=history,
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
        if len(self.history) == 1:
            there = np.zeros(self.n_items, dtype=np.bool_)
            there[self.history.item_rows] = True
            return there[item_rows]
        owner = np.repeat(np.arange(len(self.history), dtype=np.int64), np.diff(self.history.offsets))
        keys = np.unique(owner * self.n_items + self.history.item_rows)
        return _find(keys, people * self.n_items + item_rows)[1]


def _find(keys: I64, wanted: I64) -> tuple[I64, Bool]:
    if len(keys) == 0:
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit: Bool = keys[at] == wanted
    return np.where(hit, at, 0), hit


def _by_person(history: History, visits: Visits) -> tuple[F32, F32, I64, I64, I64]:
    """Return numbers of events and sessions, first and last time, and newest session (B,) of the positive events."""
    ts, session = history.ts[visits.positive], history.session_rows[visits.positive]
    if len(visits.edges) == 2:
        return _of_one(ts, session)
    edges = np.array(visits.edges)
    begin, end = edges[:-1], edges[1:]
    changed = np.zeros(len(ts) + 1, dtype=np.int64)
    changed[2:] = session[1:] != session[:-1]
    running = changed.cumsum()
    n, has = len(history), end > begin
    first, last, newest = (np.zeros(n, dtype=np.int64) for _ in range(3))
    n_sessions = np.zeros(n, dtype=np.float32)
    if has.any():
        begin, final = begin[has], end[has] - 1
        first[has], last[has] = ts[begin], ts[final]
        n_sessions[has] = running[final + 1] - running[begin + 1] + 1
        newest[has] = np.maximum.reduceat(session, begin)
    return (edges[1:] - edges[:-1]).astype(np.float32), n_sessions, first, last, newest


def _of_one(ts: I64, session: I32) -> tuple[F32, F32, I64, I64, I64]:
    """Return the same of a single person, without the arithmetic of a batch."""
    n = len(ts)
    if not n:
        none, never = np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.int64)
        return none, none, never, never, never
    n_sessions = 1 + int(np.count_nonzero(session[1:] != session[:-1]))
    sums = np.array([n, n_sessions], dtype=np.float32)
    return sums[:1], sums[1:], ts[:1], ts[-1:], session.max(keepdims=True).astype(np.int64)
