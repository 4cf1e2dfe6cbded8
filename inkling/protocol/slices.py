"""By context: the same answers, reported by country, device, part of the day or weekday of what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inkling.core.arrays import I64
from inkling.core.dataset import Interactions
from inkling.core.errors import ProtocolError, nearest
from inkling.protocol.fold import Fold, restricted

MOST = 8
"""Values of one context that have a group of their own; the rest share one."""
OTHER = "other"
PARTS_OF_DAY = ("00-06", "06-12", "12-18", "18-24")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = ("hour", "weekday")
"""Slices that come from the time of what was taken (UTC)."""


def sliced(fold: Fold, events: Interactions, names: Sequence[str]) -> Fold:
    """Return the fold with a group for each value of each context, such as ``country=France`` or ``hour=06-12``.

    A target belongs to the context of the newest positive event in which its person took its item; a person is in every
    group that has a target of theirs. Contexts only sort the report: nothing of them is told to a model.

    Args:
        fold: Of these events.
        events: All events of the measurement.
        names: Contexts of the events, ``hour``, ``weekday``.

    Raises:
        ProtocolError: The events have no such context.
    """
    at = _newest(fold, events)
    groups = dict(fold.groups)
    for name in names:
        codes, values = _values(events, name)
        own = np.append(codes, -1)[at]  # -1, no event, reads the last place
        for code, label in _labels(own, values):
            group = restricted(fold.targets, own == code if label != OTHER else _rest(own, values))
            if len(group.people):
                groups[f"{name}={label}"] = group
    return replace(fold, groups=groups)


def _newest(fold: Fold, events: Interactions) -> I64:
    """Return the position (N,) of the newest positive event of each target; -1 where there is none."""
    liked = np.flatnonzero(events.positive)
    span = max(int(events.item_rows.max(initial=0)), int(fold.targets.values.max(initial=0))) + 1
    keys = events.user_rows[liked].astype(np.int64) * span + events.item_rows[liked]
    unique, from_end = np.unique(keys[::-1], return_index=True)
    owners = np.repeat(fold.user_rows, np.diff(fold.targets.offsets)).astype(np.int64)
    wanted = owners * span + fold.targets.values
    if not len(unique):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(unique, wanted), len(unique) - 1)
    return np.where(unique[place] == wanted, liked[::-1][from_end[place]], -1)


def _values(events: Interactions, name: str) -> tuple[I64, tuple[str, ...]]:
    """Return a code (M,) for each event, -1 where it is not known, and what the codes mean."""
    if name in events.context:
        return events.context[name].astype(np.int64), events.context_values[name]
    if name == "hour":
        return events.ts // 21_600_000 % 4, PARTS_OF_DAY
    if name == "weekday":
        return (events.ts // 86_400_000 + 3) % 7, WEEKDAYS  # 1970-01-01 was a Thursday
    raise ProtocolError(
        f"There is no context '{name}' to report by.", hint=nearest(name, sorted({*events.context, *CLOCK}))
    )


def _labels(own: I64, values: Sequence[str]) -> list[tuple[int, str]]:
    """Return codes and names of the groups: the most frequent values in their own order, and one for the rest."""
    counts = np.bincount(own[own >= 0], minlength=len(values))
    kept = sorted(_frequent(counts).tolist())
    named = [(code, values[code]) for code in kept]
    return [*named, (-1, OTHER)] if np.count_nonzero(counts) > len(kept) else named


def _frequent(counts: I64) -> I64:
    most = np.argsort(-counts, kind="stable")[:MOST]
    return most[counts[most] > 0]


def _rest(own: I64, values: Sequence[str]) -> np.ndarray:
    counts = np.bincount(own[own >= 0], minlength=len(values))
    return (own >= 0) & ~np.isin(own, _frequent(counts))
