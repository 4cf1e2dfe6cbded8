"""Rows of items and people on their way in: who they are must be said once, or twice the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inkling.server.errors import bad_request
from inkling.server.schemas import Row

# The log knows by these names whose a row is: one in an item's row would let it be erased with that person.
_OWNERS = ("user_id", "session_id")


def with_path_id(row: Row, key: str, named: str) -> dict[str, Any]:
    """Return a row under the id that its path names.

    Raises:
        HttpError: 400 when the row itself names another id, or an owner.
    """
    if row.get(key, named) != named:
        raise bad_request(f"The body's {key} is '{row[key]}', the path's is '{named}'.", hint=f"Leave {key} out.")
    _check_owner(row, key, "")
    return {**row, key: named}


def with_id(rows: Sequence[Row], key: str, *, where: str) -> Sequence[Row]:
    """Return rows that each name themselves.

    Raises:
        HttpError: 400 when a row has no id, or one that is no text, or names an owner.
    """
    for index, row in enumerate(rows):
        place = f"{where}[{index}]."
        value = row.get(key)
        if not isinstance(value, str) or not value:
            seen = "is missing" if value is None else f"is {value!r}"
            raise bad_request(f"'{place}{key}' {seen}; expected a text that is not empty.")
        _check_owner(row, key, place)
    return rows


def _check_owner(row: Row, key: str, place: str) -> None:
    for name in _OWNERS:
        if name in row and name != key:
            raise bad_request(f"'{place}{name}' says whose an event is; it is no attribute.", hint="Use another name.")
