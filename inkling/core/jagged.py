"""Lists of different lengths in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import I32, I64


@dataclass(frozen=True, slots=True)
class Jagged:
    """B lists of rows: list ``b`` is ``values[offsets[b]:offsets[b + 1]]``."""

    offsets: I64  # (B + 1,)
    values: I32  # (N,)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> I32:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[int] | I32]) -> Jagged:
        """Build from B sequences of rows."""
        parts = [np.asarray(part, dtype=np.int32) for part in lists]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(offsets, np.concatenate(parts) if parts else np.empty(0, dtype=np.int32))
