"""The verbs that write: events, items, people, merges, erasure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from inkling.core.errors import RequestError
from inkling.engine.answering import Answering
from inkling.engine.arrivals import Arrivals
from inkling.engine.base import Accepted, Receipt, Row
from inkling.engine.looking import item_row
from inkling.engine.wire import check_events, check_rows
from inkling.privacy.consent import may
from inkling.stores.base import Changes


class Storing(Answering):
    """Writes to the log what consent and privacy allow."""

    _lock: threading.RLock
    _arrivals: Arrivals

    def observe(self, events: Sequence[Row]) -> int:
        """Take in events; return the version that reflects them.

        Raises:
            RequestError: An event is not of the documented form; nothing of the batch was taken.
        """
        good, bad = check_events(events, now_ms=self.now_ms())
        if bad:
            raise RequestError(f"event {bad[0].index}: {bad[0].reason}", hint=f"{len(bad)} of {len(events)} are bad.")
        return self._take(good)

    def ingest(self, events: Sequence[Row]) -> Accepted:
        """Take in the good events of a batch and tell of each bad one."""
        good, bad = check_events(events, now_ms=self.now_ms())
        return Accepted(self._take(good), len(good), tuple(bad))

    def _take(self, rows: list[dict[str, Any]]) -> int:
        """Store what consent, retention and event ids allow; the rest was taken note of and leaves no trace."""
        kept = [row for row in self._door.rows(rows) if may(row, "store", self.views.consent)]
        ids = [row["event_id"] for row in kept]
        with self._arrivals.claim(ids):
            known = self._log.duplicates(ids)
            fresh = {row["event_id"]: row for row in kept if row["event_id"] not in known}
            return self._commits.commit(Changes("events", tuple(fresh.values())))

    def put_items(self, rows: Sequence[Row]) -> int:
        """Write whole items (``item_id`` and attributes); return the version that reflects them.

        Their texts are read in the background (``read_all`` waits for it); until then they are served by other signals.
        """
        return self._commits.commit(Changes("items", check_rows(rows, "item_id")))

    def put_users(self, rows: Sequence[Row]) -> int:
        """Write what is known of people (``user_id`` and attributes); return the version that reflects it."""
        return self._commits.commit(Changes("users", tuple(self._door.rows(check_rows(rows, "user_id")))))

    def patch_item(self, item_id: str, changes: Row) -> int:
        """Change some attributes of an item; None removes one.

        Raises:
            NotFoundError: There is no such item.
        """
        item_row(self.views, item_id)
        return self._commits.commit(Changes("patch_items", check_rows([{**changes, "item_id": item_id}], "item_id")))

    def patch_user(self, user_id: str, changes: Row) -> int:
        """Change some of what is known of a person; None removes an attribute."""
        rows = self._door.rows(check_rows([{**changes, "user_id": user_id}], "user_id"))
        return self._commits.commit(Changes("patch_users", tuple(rows)))

    def delete_item(self, item_id: str) -> int:
        """Take an item out of every answer.

        Raises:
            NotFoundError: There is no such item.
        """
        item_row(self.views, item_id)
        return self._commits.commit(Changes("delete_items", ({"item_id": item_id},)))

    def merge(self, user_id: str, session_id: str) -> int:
        """Give what an anonymous session did to a person."""
        row = {"user_id": self._door.user_id(user_id), "session_id": self._door.user_id(session_id)}
        return self._commits.commit(Changes("merge", (row,)))

    def erase(self, user_id: str) -> Receipt:
        """Forget a person everywhere: log, state, attributes, bundle on disk. Return how many rows went from where."""
        who = self._door.user_id(user_id)
        self._impressions.flush()
        with self._lock:
            row = self.views.user_ids.row_of(who)
            removed = {
                "state": self.views.state.n_events(row) if row >= 0 else 0,
                "users": int(self.views.people.get(row) is not None) if row >= 0 else 0,
                "bundle": (self.bundle.erase(who) if self.bundle else 0) + self._arms.erase(who),
            }
            version = self._commits.commit(Changes("erase", ({"user_id": who},)))
            # The erasure's own row told the views; it names the person too, so it goes with the rest.
            removed["log"] = self._log.erase_user(who) - 1
            if written := self._forget_profile(who):
                removed["written"] = written
        return Receipt(user_id, version, removed)

    def _write_impressions(self, rows: tuple[dict[str, Any], ...]) -> int:
        return self._commits.commit(Changes("impressions", rows))
