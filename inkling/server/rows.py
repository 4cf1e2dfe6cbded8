"""Rows of items and people on their way in: who they are must be said once, or twice the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inkling.server.errors import bad_request
from inkling.server.schemas import Row


def with_path_id(row: Row, key: str, named: str) -> dict[str, Any]:
    """Return a row under the id that its path names.

    Raises:
        HttpError: 400 when the row itself names another id.
    """
    if row.get(key, named) != named:
        raise bad_request(f"The body's {key} is '{row[key]}', the path's is '{named}'.", hint=f"Leave {key} out.")
    return {**row, key: named}


def with_id(rows: Sequence[Row], key: str, *, where: str) -> Sequence[Row]:
    """Return rows that each name themselves.

    Raises:
        HttpError: 400 when a row has no id, or one that is no text.
    """
    for index, row in enumerate(rows):
        value = row.get(key)
        if not isinstance(value, str) or not value:
            seen = "is missing" if value is None else f"is {value!r}"
            raise bad_request(f"'{where}[{index}].{key}' {seen}; expected a text that is not empty.")
    return rows
