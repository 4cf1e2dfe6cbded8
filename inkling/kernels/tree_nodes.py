"""Small trees scored node by node, all trees and examples at once: what QuickScorer clears, as bytes side by side.

Every node is one row of a matrix of examples: one comparison answers all of them, one AND with the leaves that a node
clears, one OR over the nodes of each tree. Rows are contiguous, so that each step runs at the width of the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkling.core.arrays import F32, F64, I64, Array, Bool

MOST_LEAVES = 16
"""Leaves of a tree up to which this is the faster way."""
_BITS = 8
_AT_ONCE = 256  # examples whose comparisons stay in the second-level cache
_BYTES = np.arange(1 << MOST_LEAVES)
# The lowest bit that is not set: the leaf that is left of those alive. All set cannot be.
_FIRST = np.argmin((_BYTES[:, None] >> np.arange(MOST_LEAVES)) & 1, axis=1).astype(np.int64)

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class NodeTables:
    """The nodes of all trees, slot by slot: first the first node of every tree, then the second, and so on."""

    n_slots: int
    n_used: int
    rows: I64  # (S * T,) whose column: that with missing values lowest, or, from ``n_used`` on, the column itself
    whole: I64  # (S * T,) the same where nothing is missing
    thresholds: F32  # (S * T, 1)
    clears: tuple[Plane, ...]  # of 8 leaves each: (S * T, 1) bits of the leaves that are left of a true condition
    leaf_value: F64  # (T * L,)
    first_leaf: I64  # (T, 1)


def node_tables(columns: Sequence[Array], used: I64, spared: Array, leaves: F64) -> NodeTables:
    """Lay out trees.

    Args:
        columns: Feature, threshold and whether a missing value goes left, of each node (T, S); feature -1 is no node.
        used: (U,) the features that are asked about, ascending.
        spared: (T, S) unsigned: the leaves that a node spares when its value is above the threshold.
        leaves: (T, L) leaf values from left to right.
    """
    feature, threshold, nan_left = (np.ascontiguousarray(column.T).reshape(-1) for column in columns)
    n_trees, n_slots = spared.shape
    there = feature >= 0
    whole = np.searchsorted(used, np.where(there, feature, used[0] if len(used) else 0)).astype(np.int64)
    cleared = (~np.ascontiguousarray(spared.T).reshape(-1)).astype(np.uint64)
    clears = tuple(
        ((cleared >> np.uint64(start)) & np.uint64(0xFF)).astype(np.uint8)[:, None]
        for start in range(0, leaves.shape[1], _BITS)
    )
    return NodeTables(
        n_slots,
        len(used),
        whole + len(used) * (there & ~nan_left.astype(np.bool_)),
        whole,
        np.where(there, threshold, np.float32(np.inf)).astype(np.float32)[:, None],
        clears,
        leaves.reshape(-1),
        (np.arange(n_trees, dtype=np.int64) * leaves.shape[1])[:, None],
    )


def score_nodes(tables: NodeTables, columns: Sequence[F32], n: int) -> F32:
    """Return the sums (N,) of the leaves that examples reach.

    Args:
        tables: The trees.
        columns: One (N,) for each used feature.
        n: N.
    """
    if n <= _AT_ONCE:
        return _block(tables, columns, n)
    out = np.empty(n, dtype=np.float32)
    for begin in range(0, n, _AT_ONCE):
        end = min(begin + _AT_ONCE, n)
        out[begin:end] = _block(tables, [column[begin:end] for column in columns], end - begin)
    return out


def _block(tables: NodeTables, columns: Sequence[F32], n: int) -> F32:
    n_trees = len(tables.first_leaf)
    if not tables.n_used:
        return np.full(n, tables.leaf_value[tables.first_leaf].sum(), dtype=np.float32)
    right = _right(tables, columns, n)
    dead = None
    for at, clear in enumerate(tables.clears):
        plane = np.bitwise_or.reduce((right & clear).reshape(tables.n_slots, n_trees, n), axis=0)
        wide = plane.astype(np.uint16)
        dead = wide if dead is None else dead | (wide << np.uint16(at * _BITS))
    assert dead is not None
    leaves = _FIRST.take(dead, mode="clip")
    leaves += tables.first_leaf
    # Places are always inside the table; "clip" only spares numpy a buffered copy.
    found: F32 = tables.leaf_value.take(leaves, mode="clip").sum(axis=0).astype(np.float32)
    return found


def _right(tables: NodeTables, columns: Sequence[F32], n: int) -> Plane:
    """Return (S * T, N): all bits where an example goes right at a node, none where it goes left."""
    n_used = tables.n_used
    x = np.empty((2 * n_used, n), dtype=np.float32)
    low, high = x[:n_used], x[n_used:]
    for row, column in zip(low, columns, strict=True):
        row[:] = column
    missing: Bool = np.isnan(low)
    rows = tables.whole
    if missing.any():
        rows = tables.rows
        high[:] = low
        low[missing] = -np.inf
    # Not "above": what is missing is not above anything, and where it is not made the lowest it goes right.
    goes = x.take(rows, axis=0, mode="clip") <= tables.thresholds
    stays = goes.view(np.uint8)
    return np.subtract(stays, np.uint8(1), out=stays)
