"""What a slow ranker knows, as labels that a fast one learns from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import ConfigError
from inkling.ranking.base import Ranker, RankingSet

_PLACE = "teach.place"


def teach(data: RankingSet, teacher: Ranker, *, share: float = 0.5, grades: int = 4) -> RankingSet:
    """Return the set with labels that hold a teacher's order beside what was taken (Hinton et al. 2015).

    A label is ``(1 - share)`` where the person took the item, and ``share`` times 1, 1/2, 1/3, ... by the place that
    the teacher gives it, rounded to ``grades`` steps: what was not taken, and stands low with the teacher, is 0. People
    who took nothing have the teacher's word alone. ``gbdt`` learns such labels with its setting ``grades``.

    Args:
        data: Candidates, as the fast ranker will see them.
        teacher: Scores them; it should not have been fitted on the same people's clicks.
        share: What the teacher's word is worth beside the click, 0 to 1.
        grades: Steps of the labels.

    Raises:
        ConfigError: A number is out of range.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"teach: share is {share}, expected 0 to 1.")
    if grades < 1:
        raise ConfigError(f"teach: grades is {grades}, expected at least 1.")
    told = 1.0 / (1.0 + _places(data, teacher))
    blended = (1 - share) * np.clip(data.labels, 0, 1) + share * told
    return replace(data, labels=(np.rint(blended * grades) / grades).astype(np.float32))


def _places(data: RankingSet, teacher: Any) -> F32:
    """Return the place (N,), from 0, that the teacher gives each candidate in its list."""
    items = data.candidates.with_fields({_PLACE: np.arange(len(data.candidates.item_rows))})
    ranked = teacher.score(data.query, items)
    found = np.empty(len(items.item_rows), dtype=np.float32)
    found[ranked.fields[_PLACE]] = np.arange(len(found)) - np.repeat(ranked.offsets[:-1], np.diff(ranked.offsets))
    return found
