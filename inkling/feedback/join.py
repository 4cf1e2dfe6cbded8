"""Outcomes joined to the answers that they followed: late, out of order, sent twice, each at most once."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inkling.stores.base import Changes

RESERVED = frozenset({"impression", "opt_out", "opt_in", "query", "chat"})
"""Events that are no outcome of a list."""
WINDOW_MS = 86_400_000
MOST = 100_000
_RECENT = 20  # answers, and outcomes that wait for one, that are looked at for a person


@dataclass(slots=True, eq=False)
class Shown:
    """An answer that was given."""

    id: str
    ts: int
    who: str
    item_ids: tuple[str, ...]
    arm: str
    bundle: str
    propensity: float
    overridden: bool
    clicked: bool = False
    converted: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """One outcome and the answer that it followed."""

    shown: Shown
    event: str
    item_id: str
    position: int
    """Place in the list from 0; -1 for an outcome that names the answer but was not in its list."""
    age_ms: int
    by: str
    """``id``: the outcome named the answer; ``item``: the newest answer in the window that showed the item."""
    first: bool
    """Whether it is the answer's first outcome."""
    converts: bool
    """Whether it is the answer's first positive outcome."""


class Joiner:
    """Takes in the log block by block, and tells each outcome's answer as soon as both are there.

    An outcome that carries ``recommendation_id`` belongs to that answer however late; another one belongs to the newest
    answer to the same person, in the window before it, that showed its item. An outcome may come before its answer:
    answers are logged a moment after they are given.
    """

    def __init__(self, positive: Collection[str], *, window_ms: int = WINDOW_MS, most: int = MOST) -> None:
        """Call ``positive`` events conversions; remember ``most`` answers."""
        self._positive = positive
        self._window_ms, self._most = window_ms, most
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._recent: OrderedDict[str, deque[Shown]] = OrderedDict()
        self._waiting: OrderedDict[str, list[Mapping[str, Any]]] = OrderedDict()  # by the answer that they name
        self._loose: OrderedDict[str, deque[Mapping[str, Any]]] = OrderedDict()  # by person
        self._done: OrderedDict[str, None] = OrderedDict()
        self._owners: dict[str, str] = {}

    def take(self, changes: Changes) -> Iterator[Shown | Joined]:
        """Yield the answers of a block, and the outcomes that found their answer by it."""
        if changes.kind == "impressions":
            for row in changes.rows:
                yield from self._answer(row)
        elif changes.kind == "events":
            for row in changes.rows:
                yield from self._outcome(row)
        elif changes.kind == "merge":
            for row in changes.rows:
                self._merge("s:" + row["session_id"], "u:" + row["user_id"])
        elif changes.kind == "erase":
            for row in changes.rows:
                self.forget(row["user_id"])

    def _answer(self, row: Mapping[str, Any]) -> Iterator[Shown | Joined]:
        if row["recommendation_id"] in self._shown:
            return
        shown = Shown(
            str(row["recommendation_id"]),
            int(row["timestamp"]),
            self._who(row),
            tuple(row["item_ids"]),
            str(row.get("arm", "")),
            str(row.get("bundle", "")),
            float(row.get("propensity", 1.0)),
            bool(row.get("overridden")),
        )
        _keep(self._shown, shown.id, shown, self._most)
        yield shown
        for waiting in self._waiting.pop(shown.id, ()):
            yield self._join(waiting, shown, by="id")
        if shown.who:
            recent = self._recent.get(shown.who) or deque(maxlen=_RECENT)
            recent.append(shown)
            _keep(self._recent, shown.who, recent, self._most)
            yield from self._late(shown)

    def _late(self, shown: Shown) -> Iterator[Joined]:
        """Yield the outcomes that came before their answer did."""
        loose = self._loose.get(shown.who, deque())
        for row in list(loose):
            if self._fits(row, shown):
                loose.remove(row)
                yield self._join(row, shown, by="item")

    def _outcome(self, row: Mapping[str, Any]) -> Iterator[Joined]:
        if not row.get("item_id") or row.get("event") in RESERVED or self._seen(row):
            return
        if named := row.get("recommendation_id"):
            if (shown := self._shown.get(named)) is not None:
                yield self._join(row, shown, by="id")
            else:
                _keep(self._waiting, named, [*self._waiting.get(named, ()), row][-_RECENT:], self._most)
            return
        who = self._who(row)
        if not who:
            return
        fitting = [shown for shown in self._recent.get(who, ()) if self._fits(row, shown)]
        if fitting:
            yield self._join(row, max(fitting, key=lambda shown: shown.ts), by="item")
        else:
            loose = self._loose.get(who) or deque(maxlen=_RECENT)
            loose.append(row)
            _keep(self._loose, who, loose, self._most)

    def _seen(self, row: Mapping[str, Any]) -> bool:
        key = str(row.get("event_id") or "")
        if not key:
            return False
        if key in self._done:
            return True
        _keep(self._done, key, None, 4 * self._most)
        return False

    def _fits(self, row: Mapping[str, Any], shown: Shown) -> bool:
        return 0 <= int(row["timestamp"]) - shown.ts <= self._window_ms and row["item_id"] in shown.item_ids

    def _join(self, row: Mapping[str, Any], shown: Shown, *, by: str) -> Joined:
        item_id, event = str(row["item_id"]), str(row.get("event") or "interaction")
        first, converts = not shown.clicked, event in self._positive and not shown.converted
        shown.clicked, shown.converted = True, shown.converted or converts
        position = shown.item_ids.index(item_id) if item_id in shown.item_ids else -1
        return Joined(shown, event, item_id, position, int(row["timestamp"]) - shown.ts, by, first, converts)

    def _who(self, row: Mapping[str, Any]) -> str:
        if row.get("user_id"):
            return "u:" + str(row["user_id"])
        session = "s:" + str(row["session_id"]) if row.get("session_id") else ""
        return self._owners.get(session, session)

    def _merge(self, session: str, person: str) -> None:
        self._owners[session] = person
        for table in (self._recent, self._loose):
            mine: Any = table.pop(session, None)
            if mine:
                theirs: Any = table.get(person) or deque(maxlen=_RECENT)
                theirs.extend(mine)
                table[person] = theirs

    def forget(self, user_id: str) -> None:
        """Drop all that is remembered of a person; what was counted stays, and names nobody."""
        person = "u:" + user_id
        for shown in self._recent.pop(person, ()):
            self._shown.pop(shown.id, None)
        self._loose.pop(person, None)
        for named, rows in list(self._waiting.items()):
            if any(self._who(row) == person for row in rows):
                del self._waiting[named]
        self._owners = {session: owner for session, owner in self._owners.items() if owner != person}


def _keep(table: OrderedDict[str, Any], key: str, value: Any, most: int) -> None:
    """Write an entry as the newest; the oldest leaves where there is no room."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
