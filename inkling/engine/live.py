"""What the engine knows at this moment: views of the log, and the snapshot that they started from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inkling.core.arrays import I32, I64, Array, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Scenario
from inkling.core.vocabulary import Vocabulary
from inkling.engine.answers import Answers
from inkling.experiments.plan import Plan, read_plan
from inkling.privacy.consent import Consent, may
from inkling.stores.base import Changes
from inkling.stores.catalog import Catalog
from inkling.stores.people import PeopleTable
from inkling.stores.state import RESERVED_EVENTS, StateTable, strength


class LiveViews:
    """Vocabularies, histories, catalogue and people. One thread writes (in the log's order) while others read."""

    def __init__(self, scenario: Scenario) -> None:
        """Start empty."""
        self.scenario = scenario
        self.user_ids, self.item_ids, self.event_names = Vocabulary(), Vocabulary(), Vocabulary()
        self.state = StateTable(self.user_ids, self.item_ids, self.event_names, scenario)
        self.catalog = Catalog(self.item_ids)
        self.people = PeopleTable(self.user_ids)
        self.contexts: dict[int, dict[str, str]] = {}
        self.consent = Consent()
        self.answers = Answers()
        self.plan, self.plan_version = Plan(), 0
        self._taken: I64 = np.zeros(0, dtype=np.int64)  # events by item
        self.newest_ts = 0
        self.n_events = 0

    def load(self, base: Dataset) -> None:
        """Start from a snapshot: its vocabularies become the views' own."""
        for mine, theirs in ((self.user_ids, base.user_ids), (self.item_ids, base.item_ids)):
            mine.add_all(theirs)
        events = base.interactions
        self.event_names.add_all(events.event_names)
        self.state.load(events)
        self.catalog.load(base.items.frame.iter_rows(named=True), known=base.known_items)
        if base.people is not None:
            self.people.put(row for row in base.people.frame.iter_rows(named=True) if _says_something(row))
        self.newest_ts = max(base.until, int(events.ts[-1]) if len(events) else 0)
        self.n_events = len(events)
        self._count(events.item_rows)
        self._load_contexts(events)

    def _load_contexts(self, events: Interactions) -> None:
        """Keep the newest context of each person: later positions overwrite earlier ones."""
        for name in self.scenario.context:
            if name not in events.context:
                continue
            values, codes = events.context_values[name], events.context[name]
            has = codes >= 0
            last = dict(zip(events.user_rows[has].tolist(), codes[has].tolist(), strict=True))
            for user_row, code in last.items():
                self.contexts.setdefault(user_row, {})[name] = values[code]

    def apply(self, changes: Changes) -> Interactions | None:
        """Take in a block of the log; return its events in rows, for models that learn from them."""
        used = self._used(changes)
        if changes.kind == "erase":
            for row in changes.rows:
                self.answers.forget(row["user_id"], self.state.row_of)
        self.state.apply(used)
        self.catalog.apply(used)
        self.people.apply(used)
        self.answers.apply(used)
        self._replan(changes)
        if changes.kind == "events":
            return self._observe(used)
        if changes.kind == "erase":
            for row in changes.rows:
                self.contexts.pop(self.user_ids.row_of(row["user_id"]), None)
        return None

    def remember(self, changes: Changes) -> None:
        """Take from a block whose events a snapshot holds what the snapshot cannot hold: people, choices, merges."""
        used = self._used(changes)
        self.catalog.apply(used)
        self.people.apply(used)
        self.answers.apply(used)
        self._replan(changes)
        if changes.kind == "merge":
            self.state.apply(changes)

    def _replan(self, changes: Changes) -> None:
        """Take in the experiments that run from now on."""
        if changes.kind == "experiments" and changes.rows:
            self.plan, self.plan_version = read_plan(changes.rows[-1]), changes.version

    def people_rows(self) -> list[dict[str, Any]]:
        """Return the attributes of all people of whom something was said."""
        known = ((user_id, self.people.get(row)) for row, user_id in enumerate(list(self.user_ids)))
        return [{**attributes, "user_id": user_id} for user_id, attributes in known if attributes]

    def _used(self, changes: Changes) -> Changes:
        """Leave out what people do not allow to be used; a choice acts from its own place in the log."""
        if changes.kind != "events":
            return changes
        rows = []
        for row in changes.rows:
            self.consent = self.consent.after(row)
            if may(row, "use", self.consent):
                rows.append(row)
        return Changes("events", tuple(rows), changes.version, changes.ts)

    def _observe(self, changes: Changes) -> Interactions | None:
        rows = [row for row in changes.rows if row.get("item_id") and row.get("event") not in RESERVED_EVENTS]
        self.n_events += len(rows)
        if not rows:
            return None
        self.newest_ts = max(self.newest_ts, *(int(row["timestamp"]) for row in rows))
        users = [self.state.row_of(row.get("user_id"), row.get("session_id")) for row in rows]
        self._count(self.item_ids.rows(row["item_id"] for row in rows))
        for user_row, row in zip(users, rows, strict=True):
            if user_row >= 0 and (context := row.get("context")):
                self.contexts.setdefault(user_row, {}).update(context)
        return self.interactions(rows, np.array(users, dtype=np.int32))

    def interactions(self, rows: Sequence[Mapping[str, Any]], user_rows: I32) -> Interactions:
        """Return wire rows as events in rows of the vocabularies."""
        scenario = self.scenario
        names = [row.get("event") or "interaction" for row in rows]
        values = [row.get("value") for row in rows]
        weights = [strength(scenario, name, value) for name, value in zip(names, values, strict=True)]
        context, context_values = _contexts(rows, scenario.context)
        return Interactions(
            user_rows=user_rows,
            item_rows=self.item_ids.add_all(row["item_id"] for row in rows),
            ts=np.array([row["timestamp"] for row in rows], dtype=np.int64),
            weights=np.array(weights, dtype=np.float32),
            positive=np.array([w > 0 and name in scenario.positive for w, name in zip(weights, names, strict=True)]),
            events=self.event_names.add_all(names).astype(np.int16),
            values=np.array([np.nan if value is None else value for value in values], dtype=np.float32),
            session_rows=np.full(len(rows), -1, dtype=np.int32),
            event_names=tuple(self.event_names),
            context=context,
            context_values=context_values,
        )

    def available(self, now_ms: int, *, n_items: int | None = None) -> Bool:
        """Return (n_items,) which items may be answered at ``now_ms``; the whole vocabulary unless a width is given."""
        return self.catalog.available(len(self.item_ids) if n_items is None else n_items, now_ms=now_ms)

    def _count(self, item_rows: I32) -> None:
        known = item_rows[item_rows >= 0]
        n = int(known.max()) + 1 if len(known) else 0
        if n > len(self._taken):
            self._taken = np.pad(self._taken, (0, max(n, 2 * len(self._taken)) - len(self._taken)))
        np.add.at(self._taken, known, 1)

    def popularity(self, n_items: int) -> I64:
        """Return (n_items,) how many events each item had."""
        taken = self._taken[:n_items]
        return np.pad(taken, (0, n_items - len(taken)))

    def knows(self, user_row: int) -> bool:
        """Return whether anything is known of a person: an event or an attribute; nothing is after an erasure."""
        return self.state.n_events(user_row) > 0 or self.people.get(user_row) is not None

    def title_of(self, item_row: int) -> str:
        """Return what people call an item: its title, else its id."""
        row = self.catalog.get(item_row) or {}
        return str(row.get("title") or self.item_ids.id_of(item_row))


def _says_something(row: Mapping[str, Any]) -> bool:
    """Aligned tables have a row for every id; those of which nothing is known hold nulls only."""
    return sum(value is not None for value in row.values()) > 1


def _contexts(
    rows: Sequence[Mapping[str, Any]], names: tuple[str, ...]
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Return codes and values of every context in the rows, prices included."""
    wanted = sorted({*names, *(name for row in rows for name in row.get("context") or ())})
    codes: dict[str, Array] = {}
    values: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        table = Vocabulary()
        given = [(row.get("context") or {}).get(name) for row in rows]
        codes[name] = np.array([-1 if value is None else table.add(str(value)) for value in given], dtype=np.int32)
        values[name] = tuple(table)
    return codes, values
