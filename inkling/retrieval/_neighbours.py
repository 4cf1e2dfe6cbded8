"""The k strongest neighbours of each item in two rectangular arrays: what sparse item-to-item models answer from.

Memory is 8 bytes x items x neighbours, however large the catalogue; item x item is never held at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather
from inkling.retrieval._taste import Taste

# At most so many cells of item x item are looked at together while neighbours are chosen, and at least so many rows.
_BLOCK_CELLS = 8_388_608
_LEAST_ROWS = 256

Finish: TypeAlias = Callable[[F32, I32, I32], F32]


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
    def build(cls, product: Callable[[slice], Any], finish: Finish, n: int, k: int) -> Neighbours:
        """Choose each item's k strongest neighbours, a block of items at a time; what is not above 0 is none.

        Args:
            product: Returns the raw strengths (block, n) of a slice of items, sparse.
            finish: Turns raw strengths (M,) between two columns of rows (M,) into final ones.
            n: Number of items.
            k: Neighbours to keep; 0 keeps all.
        """
        k = min(k or n, n)
        step = max(_BLOCK_CELLS // max(n, 1), _LEAST_ROWS)
        blocks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
        found = [_strongest(product(block), block.start, finish, k) for block in blocks]
        widest = max((items.shape[1] for items, _ in found), default=0)
        items, strengths = np.zeros((n, widest), dtype=np.int32), np.zeros((n, widest), dtype=np.float32)
        for block, (block_items, block_strengths) in zip(blocks, found, strict=True):
            items[block, : block_items.shape[1]] = block_items
            strengths[block, : block_strengths.shape[1]] = block_strengths
        return cls(items, strengths)

    def __len__(self) -> int:
        return len(self.items)

    def score(self, taste: Taste, n_items: int) -> F32:
        """Return the strengths (n_items,) of all items for a taste, added up over what the person had."""
        reached, strengths = self.items[taste.rows], self.strengths[taste.rows] * taste.weights[:, None]
        return np.bincount(reached.ravel(), strengths.ravel(), n_items).astype(np.float32)

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n, K)."""
        return self.items, self.strengths

    def contributions(self, taste: Taste, item_row: int) -> tuple[I32, F32]:
        """Return the taste's rows (M,) and what each adds to the score of one item."""
        hit = self.items[taste.rows] == item_row
        said = np.where(hit, self.strengths[taste.rows], 0).sum(axis=1) * taste.weights
        return taste.rows, np.asarray(said, dtype=np.float32)

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


def _strongest(raw: Any, first: int, finish: Finish, k: int) -> tuple[I32, F32]:
    """Return the k strongest neighbours (block, K) of a block of items that begins at row ``first``."""
    raw.sort_indices()
    bounds = raw.indptr.tolist()
    columns = raw.indices.astype(np.int32, copy=False)
    rows = np.repeat(np.arange(first, first + raw.shape[0], dtype=np.int32), np.diff(raw.indptr))
    values = finish(raw.data, rows, columns)
    best = [topk(values[start:end], k, mask=values[start:end] > 0) for start, end in pairwise(bounds)]
    widest = max((len(found) for found, _ in best), default=0)
    items, strengths = np.zeros((len(best), widest), dtype=np.int32), np.zeros((len(best), widest), dtype=np.float32)
    for index, (start, (found, scores)) in enumerate(zip(bounds, best, strict=False)):
        items[index, : len(found)], strengths[index, : len(found)] = columns[start + found], scores
    return items, strengths
