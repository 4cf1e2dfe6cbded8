"""How much more often an item is taken under a value (a country, an hour) than overall: a smoothed log ratio."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array

_PRIOR = 20.0
_MAX_CELLS = 20_000_000
_MAX_KEPT = 64


class Lift:
    """Counts of (value, item) beside counts of the item. Values are known by name; new ones are added as they come."""

    def __init__(self) -> None:
        """Start with no counts."""
        self.values: dict[str, int] = {}
        self.cells: F64 = np.zeros((0, 0))
        self.totals: F64 = np.zeros(0)  # by item, kept beside the cells so that reading need not sum them
        self._n_added = 0
        self._kept: dict[int, tuple[int, F32]] = {}  # slot -> when it was read, the ratios of all items

    def add(self, values: Array, names: tuple[str, ...], item_rows: I32, weights: F32) -> None:
        """Count events (N,) whose value is ``names[values[i]]``; -1 is missing and not counted."""
        has = values >= 0
        if not has.any():
            return
        for code in np.unique(values[has]).tolist():
            self.values.setdefault(names[code], len(self.values))
        self._grow(int(item_rows[has].max()) + 1)
        slot = np.array([self.values.get(name, -1) for name in names])[values[has]]
        inside = slot < len(self.cells)  # values beyond the memory bound are not counted
        np.add.at(self.cells, (slot[inside], item_rows[has][inside]), weights[has][inside])
        np.add.at(self.totals, item_rows[has][inside], weights[has][inside])
        self._n_added += 1

    def _grow(self, n_items: int) -> None:
        n_items = max(n_items, self.cells.shape[1])
        n_values = min(len(self.values), max(_MAX_CELLS // max(n_items, 1), 1))
        if (n_values, n_items) != self.cells.shape:
            grown = np.zeros((n_values, n_items))
            old = self.cells[:n_values]
            grown[: old.shape[0], : old.shape[1]] = old
            self.cells = grown
            self.totals = np.pad(self.totals, (0, n_items - len(self.totals)))

    def read(self, value: str | None, item_rows: I32) -> F32:
        """Return log(share among the value / share among all) of items (N,), 0 where nothing is known."""
        slot = self.values.get(value, -1) if value is not None else -1
        if slot < 0 or slot >= len(self.cells):
            return np.zeros(len(item_rows), dtype=np.float32)
        ratios = self._ratios(slot)
        if len(item_rows) and int(item_rows.max()) >= len(ratios):
            known = item_rows < len(ratios)
            return np.where(known, ratios.take(np.where(known, item_rows, 0)), np.float32(0))
        return ratios.take(item_rows)

    def _ratios(self, slot: int) -> F32:
        """Return the log ratios of all items among one value, kept until something is counted."""
        n_added, kept = self._n_added, self._kept.get(slot)  # read before the counts, which another thread may move
        if kept is not None and kept[0] == n_added:
            return kept[1]
        cells, totals = self.cells, self.totals
        here, totals = cells[slot], totals[: cells.shape[1]]
        usual = totals / max(totals.sum(), 1.0)
        share = (here + _PRIOR * usual) / (here.sum() + _PRIOR)
        found: F32 = np.where(usual > 0, np.log(share / np.maximum(usual, 1e-12)), 0).astype(np.float32)
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[slot] = (n_added, found)
        return found

    def state(self, prefix: str) -> dict[str, Array]:
        """Return counts and value names as arrays."""
        names = np.frombuffer("\x1f".join(self.values).encode(), dtype=np.uint8)
        return {f"{prefix}.cells": self.cells, f"{prefix}.values": names}

    def load_state(self, prefix: str, state: dict[str, Array]) -> None:
        """Take back what ``state`` returned."""
        self.cells = np.array(state[f"{prefix}.cells"])
        self.totals = self.cells.sum(axis=0)
        self._kept = {}
        joined = bytes(np.asarray(state[f"{prefix}.values"], dtype=np.uint8)).decode()
        self.values = {name: slot for slot, name in enumerate(joined.split("\x1f") if joined else [])}
