"""Where an opinion puts an item among a person's candidates."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.engine.recall import OPINION, RANK
from inkling.kernels.jagged import reciprocal_ranks

_MAGNITUDE, _PLACE = np.int32(0x7FFFFFFF), np.int64(0xFFFFFFFF)


def ranked_fields(items: Candidates) -> Candidates:
    """Add each opinion's reciprocal rank among the person's candidates: scores shift from fit to fit, ranks do not."""
    opinions = [OPINION + name for name in items.source_names if OPINION + name in items.fields]
    if len(items) == 1:
        ranks = list(reciprocal_ranks_of(np.array([items.fields[name] for name in opinions]))) if opinions else []
    else:
        ranks = [reciprocal_ranks(items.offsets, items.fields[name]) for name in opinions]
    return items.with_fields({RANK + n.removeprefix(OPINION): r for n, r in zip(opinions, ranks, strict=True)})


def reciprocal_ranks_of(says: F32) -> F32:
    """Return 1 / (60 + rank) of each column of (members, N) within its row, as the kernel does for one row."""
    n_members, n = says.shape
    # A float's bits, read as an integer, keep its order; below them the place settles ties. Plain sorting is fast.
    bits = (says + np.float32(0)).view(np.int32)
    keys = (~(bits ^ ((bits >> 31) & _MAGNITUDE))).astype(np.int64)
    keys <<= 32
    keys |= np.arange(n)
    keys.sort(axis=1)
    keys &= _PLACE
    keys += (np.arange(n_members) * n)[:, None]
    ranks = np.empty(says.shape, dtype=np.float32)
    ranks.reshape(-1)[keys] = (1.0 / np.arange(61.0, 61.0 + n)).astype(np.float32)
    return ranks
