"""Aspects for profiles: what reviews praise in an item, and what matters to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inkling.core.dataset import Dataset
from inkling.language.aspects import (
    AspectReader,
    AspectTable,
    LexiconReader,
    cares_of_history,
    cares_of_people,
    cares_of_texts,
    joined_cares,
    read_aspects,
    strongest,
)
from inkling.language.profiles import Line, Notes

_REVIEWS, _QUERIES, _HISTORY = 2.0, 2.0, 1.0


def aspect_notes(
    data: Dataset,
    reader: AspectReader | None = None,
    *,
    asked: Sequence[Line] = (),
    kept: Mapping[str, Any] | None = None,
) -> Notes:
    """Return what aspects bring to the profiles of ``data``, from its texts and histories alone.

    A person cares about what they speak of more than others do, what they ask for, and what is praised in the things
    that they chose.

    Args:
        data: What is known at its moment.
        reader: What reads the texts; the lexicon where it is left out.
        asked: Queries; those after the data's moment are not looked at.
        kept: Earlier profiles by id.
    """
    reader = reader or LexiconReader()
    said = read_aspects(data, reader)
    table = AspectTable.of(said, data.n_items)
    spoken = cares_of_people(said, data.n_users)
    queries: dict[str, list[str]] = {}
    for line in asked:
        if line.ts <= data.until:
            queries.setdefault(line.user_id, []).append(line.text)

    def judged(row: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        good, bad = table.good_at(row), table.bad_at(row)
        return tuple(one.aspect for one in good), tuple(one.aspect for one in bad)

    def cares(row: int) -> tuple[str, ...]:
        history = data.interactions.histories(np.array([row], dtype=np.int32))
        own = "\n".join(queries.get(data.user_ids.id_of(row), ()))
        parts = [
            (_REVIEWS, spoken[row : row + 1]),
            (_QUERIES, cares_of_texts([own], table.names, reader)),
            (_HISTORY, cares_of_history(history, table)),
        ]
        return strongest(joined_cares(parts)[0], table.names)

    return Notes(good_at=judged, cares_about=cares, asked=asked, kept=kept or {})
