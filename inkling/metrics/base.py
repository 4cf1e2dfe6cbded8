"""What the ranking metrics share: which recommended items are relevant, and how many there were to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import F64, I32, I64, Bool
from inkling.core.errors import RequestError
from inkling.core.jagged import Jagged


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Lists of B people held against what was relevant to them.

    An item that a list names twice is a hit at its first place only, and a relevant item given twice counts once. A
    person to whom nothing is relevant scores 0; whether such people are measured at all is the protocol's decision.
    """

    hits: Bool  # (B, K) in rank order
    n_relevant: I64  # (B,) distinct

    def first(self, k: int) -> Bool:
        """Return the hits (B, min(k, K)) among the first k.

        Raises:
            RequestError: Where k is below 1.
        """
        if k < 1:
            raise RequestError(f"A metric was asked for at k = {k}.", hint="k is 1 or more.")
        return self.hits[:, :k]

    def n_hits(self, k: int) -> F64:
        """Return the number of hits (B,) among the first k."""
        return np.asarray(self.first(k).sum(axis=1, dtype=np.float64))

    def n_possible(self, k: int) -> I64:
        """Return the number of hits (B,) that a perfect list of k items has."""
        return np.minimum(self.n_relevant, k)


def judge(recommended: I32, relevant: Jagged) -> Judged:
    """Compare recommended with relevant items.

    Args:
        recommended: (B, K) item rows in rank order, padded with -1.
        relevant: B lists of item rows.

    Raises:
        RequestError: Where the two are not about the same number of people.
    """
    if recommended.ndim != 2 or len(recommended) != len(relevant):
        raise RequestError(f"Recommended items have shape {recommended.shape}, expected ({len(relevant)}, K).")
    n_people, width = recommended.shape
    span = 2 + max(int(recommended.max(initial=-1)), int(relevant.values.max(initial=-1)))
    people = np.repeat(np.arange(n_people, dtype=np.int64), np.diff(relevant.offsets))
    wanted = np.unique(people * span + relevant.values)
    shown = np.arange(n_people, dtype=np.int64)[:, None] * span + recommended
    hits = is_first(recommended) & (recommended >= 0)
    if len(wanted):
        place = np.minimum(np.searchsorted(wanted, shown.reshape(-1)), len(wanted) - 1)
        hits &= (wanted[place] == shown.reshape(-1)).reshape(n_people, width)
    else:
        hits[:] = False
    return Judged(hits, np.bincount(wanted // span, minlength=n_people).astype(np.int64))


def is_first(rows: I32) -> Bool:
    """Return where (B, K) a row of items names an item for the first time."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    first = np.ones(rows.shape, dtype=np.bool_)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, axis=1)
    return out


def ratio(above: F64, below: F64 | I64) -> F64:
    """Return ``above / below`` (B,), 0 where ``below`` is 0."""
    return np.divide(above, below, out=np.zeros(len(above), dtype=np.float64), where=below > 0)
