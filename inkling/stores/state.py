"""The live state of people: what they did last, as the log tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from inkling.core.arrays import I32
from inkling.core.dataset import Interactions
from inkling.core.query import History
from inkling.core.scenario import Scenario
from inkling.core.vocabulary import Vocabulary
from inkling.events.build import ANONYMOUS
from inkling.stores.base import Changes, Version
from inkling.stores.rings import EventRings, LiveEvent

IMPRESSION, OPT_OUT, DEFAULT_EVENT = "impression", "opt_out", "interaction"
RESERVED_EVENTS = frozenset({IMPRESSION, OPT_OUT})


def anonymous_key(session_id: str) -> str:
    """Return the key in the vocabulary of people that stands for a session without a person, as in a data set."""
    return ANONYMOUS + session_id


def strength(scenario: Scenario, event: str, value: float | None) -> float:
    """Return an event's weight as a positive signal: 0 where the scenario gives it none or its value is too small."""
    if event in scenario.positive:
        least = scenario.positive_value.get(event)
        enough = least is None or (value is not None and value >= least)
        return scenario.positive[event] if enough else 0.0
    return scenario.signals.get(event, 0.0)


class StateTable:
    """A view of the log: each person's last events, by row of the engine's vocabulary.

    Sessions without a person are people of their own (``anonymous_key``) until a merge gives them to somebody; what
    comes later in such a session is then that person's too. One thread may write while others read.
    """

    def __init__(
        self,
        user_ids: Vocabulary,
        item_ids: Vocabulary,
        event_names: Vocabulary,
        scenario: Scenario,
        *,
        capacity: int = 500,
    ) -> None:
        """Start empty; the vocabularies are the engine's and grow with what the log brings."""
        self._users, self._items, self._events = user_ids, item_ids, event_names
        self._scenario = scenario
        gap_ms = int(scenario.session_gap_s * 1000) if scenario.time == "real" else 0
        self._rings = EventRings(capacity=capacity, session_gap_ms=gap_ms)
        self._merged: dict[str, str] = {}
        self.version: Version = 0
        """Position in the log that the view reflects."""

    def row_of(self, user_id: str | None, session_id: str | None = None) -> int:
        """Return the row of a person, or else of a session; -1 where neither is known."""
        key = self._key(user_id, session_id)
        return -1 if key is None else self._users.row_of(key)

    def _key(self, user_id: str | None, session_id: str | None) -> str | None:
        if user_id:
            return user_id
        if not session_id:
            return None
        return self._merged.get(session_id) or anonymous_key(session_id)

    def n_events(self, user_row: int) -> int:
        """Return how many events a person has had, those no longer kept included."""
        return self._rings.n_events(user_row)

    def history(self, user_rows: I32, *, limit: int = 0) -> History:
        """Return what people did, oldest first; the last ``limit`` events of each where it is above 0."""
        return self._rings.history(user_rows, limit=limit)

    def load(self, events: Interactions) -> None:
        """Take in a whole table of events in rows of the same vocabularies, before anything else.

        Raises:
            StoreError: There are events already.
        """
        self._rings.load(events)

    def append(self, user_row: int, event: LiveEvent) -> None:
        """Add one event in rows, without moving the version."""
        self._rings.append(user_row, event)

    def apply(self, changes: Changes) -> None:
        """Take in a block of the log; one that is already reflected changes nothing."""
        if changes.version <= self.version:
            return
        if changes.kind == "events":
            for row in changes.rows:
                self._observe(row, changes.ts)
        elif changes.kind == "merge":
            for row in changes.rows:
                self._merge_ids(row["user_id"], row["session_id"])
        elif changes.kind == "erase":
            for row in changes.rows:
                self.forget(row["user_id"])
        self.version = changes.version

    def _observe(self, row: Mapping[str, Any], now_ms: int) -> None:
        name = row.get("event") or DEFAULT_EVENT
        item_id = row.get("item_id")
        key = self._key(row.get("user_id"), session_id := row.get("session_id"))
        if key is None or not item_id or name in RESERVED_EVENTS:
            return
        value, ts = row.get("value"), row.get("timestamp")
        event = LiveEvent(
            self._items.add(item_id),
            now_ms if ts is None else int(ts),
            strength(self._scenario, name, value),
            self._events.add(name),
            float("nan") if value is None else float(value),
            crc32(session_id.encode("utf-8", "surrogatepass")) >> 1 if session_id else -1,
        )
        user_row = self._users.add(key)
        target = self._scenario.takes_back.get(name)
        if target is not None:
            self._rings.take_back(user_row, event._replace(event=self._events.add(target)))
        self._rings.append(user_row, event)

    def _merge_ids(self, user_id: str, session_id: str) -> None:
        self.merge(self._users.add(user_id), self._users.row_of(anonymous_key(session_id)))
        self._merged[session_id] = user_id

    def merge(self, user_row: int, session_row: int) -> None:
        """Give the events of an anonymous session's row to a person; the session's row is empty afterwards."""
        self._rings.merge(user_row, session_row)

    def forget(self, user_id: str) -> int:
        """Wipe a person's events; return how many there had been."""
        self._merged = {session: owner for session, owner in self._merged.items() if owner != user_id}
        return self._rings.forget(self._users.row_of(user_id))
