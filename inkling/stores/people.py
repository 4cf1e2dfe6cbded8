"""What people said of themselves: attributes, and whether they want to be left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from inkling.core.vocabulary import Vocabulary
from inkling.stores.base import Changes, Version
from inkling.stores.state import OPT_OUT


class PeopleTable:
    """A view of the log: attributes by user id, and who opted out. One thread may write while others read.

    A person opts out with an ``opt_out`` event or ``opted_out`` = true among the attributes, and in again with false.
    """

    def __init__(self, user_ids: Vocabulary) -> None:
        """Start empty; the vocabulary is the engine's and grows with what the log brings."""
        self._ids = user_ids
        self._attributes: dict[int, dict[str, Any]] = {}
        self._out: set[int] = set()
        self.version: Version = 0
        """Position in the log that the view reflects."""

    def __len__(self) -> int:
        return len(self._attributes)

    def apply(self, changes: Changes) -> None:
        """Take in a block of the log; one that is already reflected changes nothing."""
        if changes.version <= self.version:
            return
        if changes.kind == "users":
            self.put(changes.rows)
        elif changes.kind == "patch_users":
            self.patch(changes.rows)
        elif changes.kind == "erase":
            for row in changes.rows:
                self.delete(row["user_id"])
        elif changes.kind == "events":
            for row in changes.rows:
                if row.get("event") == OPT_OUT and row.get("user_id"):
                    self._out.add(self._ids.add(row["user_id"]))
        self.version = changes.version

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put a whole table of people, leaving out those of whom only the id is known."""
        self.put(row for row in rows if any(value is not None for name, value in row.items() if name != "user_id"))

    def put(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put people with all their attributes, replacing what was known."""
        for row in rows:
            self._write(self._ids.add(row["user_id"]), row)

    def patch(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Change single attributes; null removes one."""
        for changes in rows:
            row = self._ids.add(changes["user_id"])
            self._write(row, {**self._attributes.get(row, {}), **changes})

    def _write(self, row: int, attributes: Mapping[str, Any]) -> None:
        self._attributes[row] = {name: value for name, value in attributes.items() if value is not None}
        choice = attributes.get("opted_out")
        if choice is True:
            self._out.add(row)
        elif choice is False:
            self._out.discard(row)

    def delete(self, user_id: str) -> int:
        """Forget a person; return how many rows (0 or 1) there were."""
        row = self._ids.row_of(user_id)
        self._out.discard(row)
        return int(self._attributes.pop(row, None) is not None)

    def get(self, user_row: int) -> dict[str, Any] | None:
        """Return a copy of a person's attributes; None where nothing was said."""
        known = self._attributes.get(user_row)
        return None if known is None else dict(known)

    def opted_out(self, user_row: int) -> bool:
        """Tell whether a person wants to be left out."""
        return user_row in self._out
