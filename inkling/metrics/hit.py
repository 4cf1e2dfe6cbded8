"""Hit rate: is anything relevant among the first k?"""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F64
from inkling.metrics.base import Judged


def hit(judged: Judged, k: int) -> F64:
    """Return 1 where a relevant item is among the first k, else 0 (B,)."""
    return np.asarray(judged.first(k).any(axis=1), dtype=np.float64)
