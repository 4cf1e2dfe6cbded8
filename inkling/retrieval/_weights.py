"""Item-to-item weights of linear models: every item's word on every other, dense or cut down to the strongest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather
from inkling.retrieval._matrix import column_sums
from inkling.retrieval._taste import Taste

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class ItemWeights:
    """Row i of ``matrix`` is what the i-th of ``items`` says about each of them."""

    matrix: F32  # (m, m), or (m, K) where ``targets`` says which columns they are
    items: I32  # (m,) item rows in the model
    place: I32  # (n_items,) their places, -1 outside
    targets: I32 | None = None  # (m, K) item rows

    @classmethod
    def of(cls, matrix: F32, items: I32, n_items: int, *, neighbours: int = 0) -> ItemWeights:
        """Take a dense (m, m) matrix, rounded to half precision as it is stored, so that a loaded model is the same.

        Args:
            matrix: Weights from rows to columns; rounded in place, a block of rows at a time, since it may be large.
            items: The item rows of its rows and columns.
            n_items: Size of the vocabulary.
            neighbours: Keep so many weights of the largest magnitude in each row; 0 keeps all.
        """
        place = np.full(n_items, -1, dtype=np.int32)
        place[items] = np.arange(len(items), dtype=np.int32)
        if not 0 < neighbours < len(items):
            for rows in row_blocks(len(matrix)):
                matrix[rows] = matrix[rows].astype(np.float16)
            return cls(matrix, items, place)
        parts = [_strongest(matrix[rows], neighbours) for rows in row_blocks(len(matrix))]
        kept = np.concatenate([weights for _, weights in parts])
        return cls(kept, items, place, items[np.concatenate([columns for columns, _ in parts])])

    @classmethod
    def none(cls) -> ItemWeights:
        """Return weights of no item."""
        return cls.of(np.zeros((0, 0), dtype=np.float32), np.empty(0, dtype=np.int32), 0)

    def __len__(self) -> int:
        """Return the size of the vocabulary that the model was fitted on."""
        return len(self.place)

    def _inside(self, taste: Taste) -> tuple[Taste, I32]:
        """Return the entries of a taste that the model holds, and their places."""
        places = self.place[taste.rows]
        if len(self.items) == len(self.place):
            return taste, places
        held = places >= 0
        return Taste(taste.rows[held], taste.weights[held]), places[held]

    def score(self, taste: Taste, n_items: int) -> F32:
        """Return the weighted sum (n_items,) of what the taste's items say; 0 for items outside the model."""
        taste, places = self._inside(taste)
        if self.targets is not None:
            said = self.matrix[places] * taste.weights[:, None]
            return np.bincount(self.targets[places].ravel(), said.ravel(), n_items).astype(np.float32)
        out = np.zeros(n_items, dtype=np.float32)
        is_whole = len(self.items) == len(self.place)
        out[slice(0, len(self.place)) if is_whole else self.items] = taste.weights @ self.matrix[places]
        return out

    def lists(self) -> tuple[I32, F32] | None:
        """Return neighbours and strengths (n_items, K) by item row; None where the matrix is dense.

        Items outside the model have neighbours of strength 0.
        """
        if self.targets is None:
            return None
        place = np.where(self.place >= 0, self.place, 0)
        outside = (self.place < 0)[:, None]
        return np.where(outside, 0, self.targets[place]).astype(np.int32), np.where(outside, 0, self.matrix[place])

    def contributions(self, taste: Taste, item_row: int) -> tuple[I32, F32]:
        """Return the taste's rows that the model holds, and what each adds to the score of one item."""
        taste, places = self._inside(taste)
        if self.targets is not None:
            said = np.where(self.targets[places] == item_row, self.matrix[places], 0).sum(axis=1)
            return taste.rows, (said * taste.weights).astype(np.float32)
        at = self.place[item_row] if 0 <= item_row < len(self.place) else -1
        if at < 0:
            return taste.rows[:0], taste.weights[:0]
        return taste.rows, self.matrix[places, at] * taste.weights

    def similar(self, item_rows: I32, k: int, *, source: str) -> Candidates:
        """Return the k items that each item speaks for most, without itself; none for items outside the model."""
        return gather([self._similar(int(row), k) for row in item_rows], source=source)

    def _similar(self, row: int, k: int) -> tuple[I32, F32]:
        at = self.place[row] if 0 <= row < len(self.place) else -1
        if at < 0:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        columns = self.items if self.targets is None else self.targets[at]
        found, best = topk(self.matrix[at], k, mask=(self.matrix[at] > 0) & (columns != row))
        return columns[found], best

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes, the weights in half precision."""
        size = np.array([len(self.place)], dtype=np.int64)
        arrays: dict[str, Array] = {"weights": self.matrix.astype(np.float16), "items": self.items, "n_items": size}
        return arrays if self.targets is None else {**arrays, "targets": self.targets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> ItemWeights:
        """Build from the arrays of :meth:`to_arrays`."""
        items = np.asarray(arrays["items"], dtype=np.int32)
        whole = cls.of(np.zeros((0, 0), dtype=np.float32), items, int(arrays["n_items"][0]))
        targets = np.asarray(arrays["targets"], dtype=np.int32) if "targets" in arrays else None
        return cls(arrays["weights"].astype(np.float32), items, whole.place, targets)


def row_blocks(n: int, *, size: int = 512) -> list[slice]:
    """Return slices over ``n`` rows, so that copies of a large matrix are small."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _strongest(weights: F32, k: int) -> tuple[I64, F32]:
    """Return the columns and weights (block, k) of largest magnitude in each row, in half precision's values."""
    columns = np.argpartition(-np.abs(weights), k - 1, axis=1)[:, :k]
    kept = np.take_along_axis(weights, columns, axis=1)
    return columns, kept.astype(np.float16).astype(np.float32)


def most_active(matrix: csr_array, limit: int) -> I32:
    """Return the rows of the ``limit`` items with the largest sums, ascending."""
    if matrix.shape[1] <= limit:
        return np.arange(matrix.shape[1], dtype=np.int32)
    chosen: I64 = np.argsort(-column_sums(matrix), kind="stable")[:limit]
    return np.sort(chosen).astype(np.int32)
