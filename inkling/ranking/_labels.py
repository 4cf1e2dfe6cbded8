"""Labels of candidates from what happened: who did what with which item, and which value it was given."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from inkling.core.arrays import F32, I32, I64
from inkling.core.candidates import Candidates
from inkling.core.dataset import Interactions


def labels_of_events(items: Candidates, user_rows: I32, happened: Interactions, names: Iterable[str]) -> F32:
    """Return (N,) 1 where the person did one of the named events with the candidate, else 0.

    For ``multitask``: labels are those of the scenario's signals and positive events, ``further["conversion"]`` those
    of its positive events alone.

    Args:
        items: Candidates of B people.
        user_rows: (B,) who they are.
        happened: The events of the window that candidates were made for.
        names: Of events.
    """
    codes = [code for code, name in enumerate(happened.event_names) if name in set(names)]
    chosen = np.isin(happened.events, codes)
    keys = _key(happened.user_rows[chosen], happened.item_rows[chosen])
    return np.isin(_key(user_rows[items.segment_rows], items.item_rows), keys).astype(np.float32)


def values_of_events(items: Candidates, user_rows: I32, happened: Interactions) -> F32:
    """Return (N,) the last value that the person gave the candidate, NaN where there is none: labels of ``rating``."""
    known = np.isfinite(happened.values)
    keys, values = _key(happened.user_rows[known], happened.item_rows[known]), happened.values[known]
    unique, from_end = np.unique(keys[::-1], return_index=True)
    last = values[::-1][from_end]
    wanted = _key(user_rows[items.segment_rows], items.item_rows)
    place = np.minimum(np.searchsorted(unique, wanted), max(len(unique) - 1, 0))
    out = np.full(len(wanted), np.nan, dtype=np.float32)
    if len(unique):
        found = unique[place] == wanted
        out[found] = last[place[found]]
    return out


def rated(user_rows: I32, happened: Interactions) -> Candidates:
    """Return as candidates of B people the items that they gave a value in ``happened``, once each."""
    known = np.isfinite(happened.values) & np.isin(happened.user_rows, user_rows)
    place = np.full(int(max(user_rows.max(initial=-1), happened.user_rows.max(initial=-1))) + 1, -1)
    place[user_rows] = np.arange(len(user_rows))
    pairs = np.unique(_key(place[happened.user_rows[known]], happened.item_rows[known]))
    offsets = np.searchsorted(pairs >> 32, np.arange(len(user_rows) + 1)).astype(np.int64)
    rows = (pairs & 0xFFFFFFFF).astype(np.int32)
    return Candidates.of(offsets, rows, np.zeros(len(rows), dtype=np.float32), source="rated")


def _key(user_rows: I32 | I64, item_rows: I32) -> I64:
    return (user_rows.astype(np.int64) << 32) + item_rows
