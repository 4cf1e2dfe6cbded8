"""What people say of themselves, read when it is written: it speaks for those of whom little else is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I32
from inkling.core.query import Query
from inkling.engine.sentences import ABOUT

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews

FEW_EVENTS = 3
"""A person's own sentence speaks for them until they have done so much."""
_MOST_LETTERS = 2000


class Abouts:
    """Vectors of people's own sentences by row, in memory only."""

    def __init__(self, views: LiveViews) -> None:
        """Read what ``views`` know of people."""
        self._views = views
        self._vectors: dict[int, F32] = {}

    def __len__(self) -> int:
        return len(self._vectors)

    def text_of(self, user_row: int) -> str:
        """Return what a person says of themselves; "" where that is nothing, or they want to be left out."""
        said = (self._views.people.get(user_row) or {}).get("about")
        return said[:_MOST_LETTERS] if isinstance(said, str) and not self._refused(user_row) else ""

    def _refused(self, user_row: int) -> bool:
        """Tell whether a person opted out, by an attribute or by an event."""
        views = self._views
        return views.people.opted_out(user_row) or views.user_ids.id_of(user_row) in views.consent.not_used

    def wanted(self, user_rows: Sequence[int]) -> I32:
        """Return those rows that have something to read, or had."""
        rows = [row for row in user_rows if row in self._vectors or self.text_of(row)]
        return np.array(rows, dtype=np.int32)

    def place(self, user_rows: I32, vectors: F32) -> None:
        """Take in what was read."""
        for row, vector in zip(user_rows.tolist(), vectors, strict=True):
            if vector.any() and self.text_of(row):  # they may have been erased meanwhile
                self._vectors[row] = vector
            else:
                self._vectors.pop(row, None)

    def drop(self, user_row: int) -> None:
        """Forget a person."""
        self._vectors.pop(user_row, None)

    def speaks(self, query: Query, person: int) -> bool:
        """Tell whether a person's own sentence stands in for what they did not do and did not say."""
        row = int(query.user_rows[person])
        if row not in self._vectors or (query.texts and query.texts[person]) or not self.text_of(row):
            return False
        own = slice(int(query.history.offsets[person]), int(query.history.offsets[person + 1]))
        return int((query.history.weights[own] > 0).sum()) < FEW_EVENTS

    def joined(self, query: Query, encoder: str) -> Query:
        """Return the question with the sentences of those who did little and say nothing now, as if just said."""
        if not self._vectors:
            return query
        speaking = [person for person in range(len(query)) if self.speaks(query, person)]
        read = {person: self._vectors.get(int(query.user_rows[person])) for person in speaking}
        found = {person: vector for person, vector in read.items() if vector is not None}
        if not found:
            return query
        texts: list[str | None] = list(query.texts) or [None] * len(query)
        dim = len(next(iter(found.values())))
        known: Mapping[str, F32] = query.text_vectors
        vectors = known[encoder].copy() if encoder in known else np.zeros((len(query), dim), dtype=np.float32)
        for person, vector in found.items():
            texts[person] = self.text_of(int(query.user_rows[person]))
            vectors[person] = vector
        own = np.zeros((len(query), dim), dtype=np.float32)
        own[list(found)] = np.stack(list(found.values()))
        return replace(query, texts=tuple(texts), text_vectors={**known, encoder: vectors, ABOUT: own})
