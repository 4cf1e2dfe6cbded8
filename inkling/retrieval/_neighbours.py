"""The k strongest neighbours of each item in two rectangular arrays: what sparse item-to-item models answer from.

Memory is 8 bytes x items x neighbours, however large the catalogue; item x item is never held at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather
from inkling.retrieval._taste import Taste

# Cells of item x item held at once while neighbours are chosen: 32 MiB of float32.
_BLOCK_CELLS = 8_388_608


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Row i holds the neighbours of item i, strongest first; unused places point to item 0 with strength 0."""

    items: I32  # (n, K)
    strengths: F32  # (n, K)

    @classmethod
    def none(cls, n_items: int) -> Neighbours:
        """Return items without neighbours."""
        return cls(np.zeros((n_items, 0), dtype=np.int32), np.zeros((n_items, 0), dtype=np.float32))

    @classmethod
    def build(cls, product: Callable[[slice], Any], finish: Callable[[F32, slice], F32], n: int, k: int) -> Neighbours:
        """Choose each item's k strongest neighbours, a block of items at a time.

        Args:
            product: Returns the raw strengths (block, n) of a slice of items, sparse.
            finish: Turns them, dense, into the final strengths; 0 is none.
            n: Number of items.
            k: Neighbours to keep; 0 keeps all.
        """
        k = min(k or n, n)
        items, strengths = np.zeros((n, k), dtype=np.int32), np.zeros((n, k), dtype=np.float32)
        step = max(_BLOCK_CELLS // max(n, 1), 1)
        for start in range(0, n, step):
            block = slice(start, min(start + step, n))
            dense = finish(product(block).toarray(), block)
            items[block], strengths[block] = _strongest(dense, k)
        used = int((strengths != 0).sum(axis=1).max(initial=0))
        return cls(np.ascontiguousarray(items[:, :used]), np.ascontiguousarray(strengths[:, :used]))

    def __len__(self) -> int:
        return len(self.items)

    def score(self, taste: Taste, n_items: int) -> F32:
        """Return the strengths (n_items,) of all items for a taste, added up over what the person had."""
        reached, strengths = self.items[taste.rows], self.strengths[taste.rows] * taste.weights[:, None]
        return np.bincount(reached.ravel(), strengths.ravel(), n_items).astype(np.float32)

    def contributions(self, taste: Taste, item_row: int) -> F32:
        """Return what each entry (M,) of a taste adds to the score of one item."""
        hit = self.items[taste.rows] == item_row
        return np.asarray(np.where(hit, self.strengths[taste.rows], 0).sum(axis=1) * taste.weights, dtype=np.float32)

    def similar(self, item_rows: I32, k: int, *, source: str) -> Candidates:
        """Return the k strongest neighbours of each item, without the item itself; none for unknown items."""
        return gather([self._of(int(row), k) for row in item_rows], source=source)

    def _of(self, row: int, k: int) -> tuple[I32, F32]:
        if not 0 <= row < len(self):
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        valid = (self.strengths[row] > 0) & (self.items[row] != row)
        return self.items[row][valid][: max(k, 0)], self.strengths[row][valid][: max(k, 0)]

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes."""
        return {"neighbours": self.items, "strengths": self.strengths}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Neighbours:
        """Build from the arrays of :meth:`to_arrays`."""
        return cls(np.asarray(arrays["neighbours"], np.int32), np.asarray(arrays["strengths"], np.float32))


def _strongest(dense: F32, k: int) -> tuple[I32, F32]:
    """Return each row's k strongest columns, descending, ties by lower column; what is not above 0 is zeroed."""
    items, strengths = np.zeros((len(dense), k), dtype=np.int32), np.zeros((len(dense), k), dtype=np.float32)
    for index, row in enumerate(dense):
        found, best = topk(row, k, mask=row > 0)
        items[index, : len(found)], strengths[index, : len(found)] = found, best
    return items, strengths
