"""Catalogue coverage: how much of the catalogue is ever shown."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import I32
from inkling.core.errors import RequestError


def coverage(recommended: I32, n_items: int, *, k: int | None = None) -> float:
    """Return the share of ``n_items`` that is among the first k of at least one list.

    Args:
        recommended: (B, K) item rows in rank order, padded with -1.
        n_items: Size of the catalogue; rows are below it.
        k: Places looked at; None looks at all.

    Raises:
        RequestError: Where the catalogue is empty or a row lies outside it.
    """
    shown = np.unique(recommended[:, :k])
    shown = shown[shown >= 0]
    if n_items < 1 or (len(shown) and shown[-1] >= n_items):
        raise RequestError(f"Item row {shown[-1] if len(shown) else None} is outside a catalogue of {n_items} items.")
    return len(shown) / n_items
