"""Shows one of several that are the same."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from inkling.core.arrays import I64, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.policy.base import PolicyContext


class DedupeConfig(Config, frozen=True, kw_only=True):
    """Settings of ``dedupe``."""

    per_group: Annotated[int, msgspec.Meta(ge=0)] = 1
    """So many items of one group (a title, a parent) are shown; 0 is no limit."""


class Dedupe:
    """Drops the later of two equal items, and items beyond the limit of their group."""

    name = "dedupe"
    Config = DedupeConfig

    def __init__(self, config: DedupeConfig | None = None, context: PolicyContext | None = None) -> None:
        self.config = config or DedupeConfig()
        self._context = context or PolicyContext()

    def apply(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates without repetition, the first of each kept."""
        people = items.segment_rows
        keep = _within(people, items.item_rows.astype(np.int64), 1)
        groups = self._context.groups
        if groups is not None and self.config.per_group > 0:
            known = items.item_rows < len(groups)
            own = np.full(len(known), -1, dtype=np.int64)
            own[known] = groups[items.item_rows[known]]
            # An item that is dropped as a duplicate must not use up its group's place.
            grouped = np.flatnonzero(keep & (own >= 0))
            keep[grouped] = _within(people[grouped], own[grouped], self.config.per_group)
        return items if keep.all() else items.keep(keep)


def _within(people: I64, labels: I64, limit: int) -> Bool:
    """Return which entries are among the first ``limit`` of their person and label."""
    order = np.lexsort((labels, people))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(people[order]) != 0) | (np.diff(labels[order]) != 0)
    starts = np.flatnonzero(new)
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    keep = np.empty(len(order), dtype=np.bool_)
    keep[order] = place < limit
    return keep
