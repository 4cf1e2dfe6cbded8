"""Items that are asked about, placed among a person's own candidates.

A rank says where an item stands among others. What is said of one item must not depend on which others are asked about
in the same call, so each is held against the candidates that the person would be shown.
"""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32, I64
from inkling.core.candidates import Candidates
from inkling.engine.recall import OPINION, RANK

_CONSTANT = 60.0  # as in kernels.jagged.reciprocal_ranks


def placed(asked: Candidates, beside: Candidates) -> Candidates:
    """Return ``asked`` with the opinions and reciprocal ranks that its items have among ``beside``.

    Args:
        asked: Items asked about, with their opinions.
        beside: The same people's candidates, with opinions and reciprocal ranks. An item that is among them has what
            it has there; another one stands behind all that a member likes as much.
    """
    fields = dict(asked.fields)
    for name in [name for name in asked.fields if name.startswith(OPINION)]:
        rank = RANK + name.removeprefix(OPINION)
        opinions, ranks = asked.fields[name].copy(), np.empty(len(asked.item_rows), dtype=np.float32)
        for person in range(len(asked)):
            mine = slice(int(asked.offsets[person]), int(asked.offsets[person + 1]))
            theirs = slice(int(beside.offsets[person]), int(beside.offsets[person + 1]))
            ranks[mine] = _behind(opinions[mine], beside.fields[name][theirs])
            here, there = _shared(asked, beside, person)
            opinions[mine][here] = beside.fields[name][theirs][there]
            ranks[mine][here] = beside.fields[rank][theirs][there]
        fields |= {name: opinions, rank: ranks}
    return asked.with_fields(fields)


def _behind(own: F32, others: F32) -> F32:
    n_before = np.searchsorted(np.sort(-others), -own, side="right")
    ranks: F32 = (1.0 / (_CONSTANT + 1.0 + n_before)).astype(np.float32)
    return ranks


def _shared(asked: Candidates, beside: Candidates, person: int) -> tuple[I64, I64]:
    """Return the places in both of one person's items that are in both."""
    _, here, there = np.intersect1d(asked.rows_of(person), beside.rows_of(person), return_indices=True)
    return here, there
