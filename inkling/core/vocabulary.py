"""External ids and the dense rows that models speak. A vocabulary grows and never renumbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from inkling.core.arrays import I32


class Vocabulary:
    """A growing, append-only map between external ids (str) and rows (int32, from 0).

    Rows are handed out in the order of first sight and stay valid for the life of the vocabulary.
    """

    __slots__ = ("_ids", "_rows")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids: list[str] = list(dict.fromkeys(ids))
        self._rows: dict[str, int] = {key: row for row, key in enumerate(self._ids)}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def id_of(self, row: int) -> str:
        """Return the external id of one row (IndexError when it was never handed out)."""
        if row < 0:
            raise IndexError(row)
        return self._ids[row]

    def row_of(self, key: str) -> int:
        """Return the row of one external id, or -1 when it is unknown."""
        return self._rows.get(key, -1)

    def add(self, key: str) -> int:
        """Return the row of ``key``, handing out the next one when it is new."""
        row = self._rows.get(key)
        if row is None:
            row = len(self._ids)
            self._ids.append(key)
            self._rows[key] = row
        return row

    def rows(self, ids: Iterable[str]) -> I32:
        """Return rows (N,) of many ids; -1 where unknown."""
        get = self._rows.get
        return np.fromiter((get(key, -1) for key in ids), dtype=np.int32)

    def add_all(self, ids: Iterable[str]) -> I32:
        """Return rows (N,) of many ids, handing out new rows where needed."""
        add = self.add
        return np.fromiter((add(key) for key in ids), dtype=np.int32)

    def ids(self, rows: Sequence[int] | I32 | None = None) -> list[str]:
        """Return external ids of ``rows``, or all of them in row order."""
        if rows is None:
            return list(self._ids)
        table = self._ids
        return [table[row] for row in (rows.tolist() if isinstance(rows, np.ndarray) else rows)]

    def copy(self) -> Vocabulary:
        """Return an independent copy with the same rows."""
        twin = Vocabulary()
        twin._ids, twin._rows = list(self._ids), dict(self._rows)
        return twin
