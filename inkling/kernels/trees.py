"""Gradient-boosted trees as plain arrays, scored without the library that grew them.

Scoring follows QuickScorer (Lucchese et al. 2015): the leaves of a tree are bits from left to right, an inner node
whose condition is false clears the leaves under its left child, and the lowest bit that remains is the leaf reached.
All nodes that ask about one feature are false up to the value's place among their sorted thresholds, so what they clear
together is looked up instead of computed: one binary search and one row of a table per feature serve all trees at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inkling.core.arrays import F32, F64, I32, I64, Array, Bool
from inkling.core.errors import DataError, RequestError
from inkling.kernels.tree_nodes import MOST_LEAVES, NodeTables, node_tables, score_nodes

MAX_LEAVES = 64
Masks: TypeAlias = NDArray[np.unsignedinteger[Any]]  # 16, 32 or 64 bits, one for each leaf

# Masks looked up at once: those of a block stay in the second-level cache.
_BLOCK_CELLS = 524_288


@dataclass(frozen=True, eq=False)
class TreeEnsemble:
    """T trees of up to L leaves, padded to the same size.

    An inner node sends an example left where its feature is at most the threshold; a child below 0 is the leaf
    ``-child - 1``. A tree of one leaf has no inner node. Unused nodes have feature -1.
    """

    feature: I32  # (T, L - 1)
    threshold: F32  # (T, L - 1)
    nan_left: Bool  # (T, L - 1) true where a missing value goes left
    left: I32  # (T, L - 1)
    right: I32  # (T, L - 1)
    leaf_value: F64  # (T, L)
    n_features: int

    @cached_property
    def used(self) -> I64:
        """The feature columns (U,) that some tree asks about, ascending."""
        return np.unique(self.feature[self.feature >= 0]).astype(np.int64)

    def __post_init__(self) -> None:
        n_trees, n_leaves = self.leaf_value.shape
        if n_leaves > MAX_LEAVES:
            raise DataError(f"A tree has {n_leaves} leaves.", hint=f"Train with at most {MAX_LEAVES} leaves.")
        for name in ("feature", "threshold", "nan_left", "left", "right"):
            shape = getattr(self, name).shape
            if shape != (n_trees, n_leaves - 1):
                raise DataError(f"Tree column '{name}' has shape {shape}, expected {(n_trees, n_leaves - 1)}.")
        if self.feature.max(initial=-1) >= self.n_features:
            raise DataError(f"A tree asks for feature {self.feature.max()}, but there are {self.n_features}.")

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.leaf_value)

    @cached_property
    def nodes(self) -> NodeTables | None:
        """The nodes side by side, which is the faster way for small trees; None for trees of many leaves."""
        if self.leaf_value.shape[1] > MOST_LEAVES:
            return None
        masks, leaves = laid_out(self, "u2")
        return node_tables((self.feature, self.threshold, self.nan_left), self.used, masks, leaves)

    @cached_property
    def tables(self) -> MaskTables:
        """The lookup tables that scoring uses, built on first use."""
        return build_tables(self)

    def score(self, x: F32) -> F32:
        """Return the raw scores (N,) of examples (N, F). See :func:`score`."""
        return score(self, x)

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes, for npz or safetensors."""
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        return {**columns, "n_features": np.array([self.n_features], dtype=np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> TreeEnsemble:
        """Build from the arrays of :meth:`to_arrays`.

        Raises:
            DataError: Where an array is missing or of the wrong shape.
        """
        names = [column.name for column in fields(cls)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise DataError(f"Tree arrays lack {', '.join(missing)}.", hint=f"Expected: {', '.join(names)}.")
        columns: dict[str, Any] = {name: np.asarray(arrays[name]) for name in names}
        return cls(**{**columns, "n_features": int(columns["n_features"].reshape(-1)[0])})


@dataclass(frozen=True, slots=True)
class MaskTables:
    """What scoring looks up: for each used feature, which leaves of each tree survive each range of its values."""

    used: I64  # (U,) feature columns that some tree asks about
    thresholds: tuple[F32, ...]  # U x (m + 1,), ascending, infinity last
    survivors: Masks  # U x (m + 2, T) stacked; row r: r thresholds lie below the value; the last row: value missing
    starts: tuple[int, ...]  # U x where a feature's rows begin
    leaf_value: F64  # (T * L,), each tree's leaves from left to right
    first_leaf: I64  # (T,) where a tree's leaves begin, less the bias of a float's exponent


def score(ensemble: TreeEnsemble, x: F32) -> F32:
    """Return the sum of the leaf values that each example reaches.

    Args:
        ensemble: The trees.
        x: (N, F) features; NaN is a missing value.

    Returns:
        Raw scores (N,), before any link function.

    Raises:
        RequestError: Where ``x`` does not have the number of features that the trees were grown with.
    """
    if x.ndim != 2 or x.shape[1] != ensemble.n_features:
        raise RequestError(f"Features have shape {x.shape}, the trees expect (N, {ensemble.n_features}).")
    return score_columns(ensemble, [x[:, feature] for feature in ensemble.used.tolist()], len(x))


def score_columns(ensemble: TreeEnsemble, columns: Sequence[F32], n: int) -> F32:
    """Return the scores (N,) as :func:`score` does, from the used features alone.

    Args:
        ensemble: The trees.
        columns: One (N,) for each of ``ensemble.used``. One that repeats a single number in memory (stride 0)
            is looked up once.
        n: N.
    """
    if not n:
        return np.empty(0, dtype=np.float32)
    if ensemble.nodes is not None:
        return score_nodes(ensemble.nodes, columns, n)
    tables = ensemble.tables
    block = max(_BLOCK_CELLS // max(tables.survivors.size and len(columns) * ensemble.n_trees, 1), 1)
    if n <= block:
        return _score_block(tables, columns, n).astype(np.float32)
    out = np.empty(n, dtype=np.float32)
    for start in range(0, n, block):
        stop = min(start + block, n)
        out[start:stop] = _score_block(tables, [column[start:stop] for column in columns], stop - start)
    return out


_BIAS = 1023  # of the exponent of a 64-bit float
_MANTISSA_BITS = 52


def _score_block(tables: MaskTables, columns: Sequence[F32], n: int) -> F64:
    alive = _alive(tables, columns, n)
    # A power of two as a float holds its exponent in the bits above the mantissa.
    lowest = (alive & np.negative(alive)).astype(np.float64)
    leaves = np.right_shift(lowest.view(np.int64), _MANTISSA_BITS, out=lowest.view(np.int64))
    leaves += tables.first_leaf
    # Places are always inside the table; "clip" only spares numpy a buffered copy.
    return np.asarray(tables.leaf_value.take(leaves, mode="clip").sum(axis=1))


def _alive(tables: MaskTables, columns: Sequence[F32], n: int) -> Masks:
    """Return the leaves (N, T) that survive all features; what is the same for all examples is looked up once."""
    places = np.empty((len(columns), n), dtype=np.int64)
    same: list[int] = []
    moving: list[int] = []
    for values, thresholds, start in zip(columns, tables.thresholds, tables.starts, strict=True):
        if values.strides[0] == 0:
            same.append(int(thresholds.searchsorted(values[0])) + start)
        else:
            places[len(moving)] = thresholds.searchsorted(values)
            moving.append(start)
    places = places[: len(moving)]
    places += np.array(moving, dtype=np.int64)[:, None]
    survivors = tables.survivors
    alive: Masks = np.bitwise_and.reduce(survivors.take(places, axis=0), axis=0)
    if same:
        alive = alive & np.bitwise_and.reduce(survivors.take(same, axis=0), axis=0)
    return alive


def build_tables(ensemble: TreeEnsemble) -> MaskTables:
    """Lay out the trees for scoring.

    Raises:
        DataError: Where the children of a tree do not form a tree.
    """
    n_trees, n_leaves = ensemble.leaf_value.shape
    kind = f"u{2 if n_leaves <= 16 else 4 if n_leaves <= 32 else 8}"
    masks, leaves = laid_out(ensemble, kind)
    used = ensemble.used
    built = [_feature_table(ensemble, masks, int(feature)) for feature in used]
    first_leaf = np.arange(n_trees, dtype=np.int64) * n_leaves - _BIAS
    starts = np.cumsum([0, *(len(survivors) for _, survivors in built)])[:-1]
    stacked = np.concatenate([np.empty((0, n_trees), dtype=kind), *(survivors for _, survivors in built)])
    thresholds = tuple(asked for asked, _ in built)
    return MaskTables(used, thresholds, stacked, tuple(starts.tolist()), leaves.reshape(-1), first_leaf)


def laid_out(ensemble: TreeEnsemble, kind: str) -> tuple[Masks, F64]:
    """Return what each node spares when it is false (T, L - 1), and leaf values (T, L) from left to right."""
    masks: Masks = ~np.zeros(ensemble.feature.shape, dtype=kind)
    leaves = np.zeros(ensemble.leaf_value.shape, dtype=np.float64)
    for tree in range(len(leaves)):
        order = _lay_out(ensemble, tree, masks)
        leaves[tree, : len(order)] = ensemble.leaf_value[tree, order]
    return masks, leaves


def _lay_out(ensemble: TreeEnsemble, tree: int, masks: Masks) -> list[int]:
    """Return a tree's leaves from left to right; write into ``masks`` what each node spares when it is false."""
    order: list[int] = []
    begins: dict[int, int] = {}
    full = int(np.iinfo(masks.dtype).max)
    stack = [(0 if ensemble.feature.shape[1] and ensemble.feature[tree, 0] >= 0 else -1, True)]
    while stack:
        node, entering = stack.pop()
        if node < 0:
            if -node > ensemble.leaf_value.shape[1]:
                raise DataError(f"Tree {tree} leads to leaf {-node - 1}, which does not exist.")
            order.append(-node - 1)
        elif entering:
            if node in begins or node >= masks.shape[1]:
                raise DataError(f"Tree {tree} is not a tree: node {node} has two parents or does not exist.")
            begins[node] = len(order)
            stack += [(int(ensemble.right[tree, node]), True), (node, False), (int(ensemble.left[tree, node]), True)]
        else:
            cleared = (1 << len(order)) - (1 << begins[node])
            masks[tree, node] = full & ~cleared
    return order


def _feature_table(ensemble: TreeEnsemble, masks: Masks, feature: int) -> tuple[F32, Masks]:
    trees, nodes = np.nonzero(ensemble.feature == feature)
    asked, clears = ensemble.threshold[trees, nodes], masks[trees, nodes]
    thresholds, place = np.unique(asked, return_inverse=True)
    table = np.full((len(thresholds) + 2, ensemble.n_trees), np.iinfo(masks.dtype).max, dtype=masks.dtype)
    np.bitwise_and.at(table, (place + 1, trees), clears)
    np.bitwise_and.accumulate(table[:-1], axis=0, out=table[:-1])
    goes_right = ~ensemble.nan_left[trees, nodes]
    np.bitwise_and.at(table[-1], trees[goes_right], clears[goes_right])
    # NaN sorts after infinity, so a missing value finds the last row by the same search.
    return np.append(thresholds, np.float32(np.inf)), table
