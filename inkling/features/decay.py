"""Exponentially decayed counters: one number a row and half-life, moved by each event, read at any later moment.

A count decayed with half-life h is a window of length h * log2(e) that forgets softly. Unlike a sliding window it
needs no log of events to be exact: a live counter equals one that is computed from the whole log (tests hold it to
that).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64

_REBASE_AT = 256.0  # half-lives; far below the 1023 where float64 overflows


class DecayedCounts:
    """Counters of shape (H, n_rows) for H half-lives, growing with the rows that it is told of."""

    def __init__(self, half_lives_ms: Sequence[float], n_rows: int = 0, *, reference_ms: int = 0) -> None:
        """Start at zero for ``n_rows`` rows; ``reference_ms`` is the time that stored values refer to."""
        self.half_lives_ms: F64 = np.asarray(half_lives_ms, dtype=np.float64)
        self.reference_ms: F64 = np.full(len(self.half_lives_ms), float(reference_ms))
        self.values: F64 = np.zeros((len(self.half_lives_ms), n_rows))

    @property
    def n_rows(self) -> int:
        """Return how many rows there are counters for."""
        return int(self.values.shape[1])

    def add(self, rows: I32, ts: I64, weights: F32 | None = None) -> None:
        """Count events of ``rows`` at ``ts`` (N,), each by its weight (default 1)."""
        if len(rows) == 0:
            return
        self._grow(int(rows.max()) + 1)
        amounts = np.ones(len(rows)) if weights is None else weights.astype(np.float64)
        newest = float(ts.max())
        for h, half_life in enumerate(self.half_lives_ms):
            if (newest - self.reference_ms[h]) / half_life > _REBASE_AT:
                self.values[h] *= np.exp2((self.reference_ms[h] - newest) / half_life)
                self.reference_ms[h] = newest
            grown = amounts * np.exp2((ts - self.reference_ms[h]) / half_life)
            if len(rows) == 1:
                self.values[h, rows[0]] += grown[0]
            else:
                self.values[h] += np.bincount(rows, weights=grown, minlength=self.n_rows)

    def at(self, rows: I32, now: I64) -> F32:
        """Return the counts (H, N) of ``rows`` at ``now`` (N,); 0 for rows without a counter."""
        known = rows < self.n_rows
        safe = np.where(known, rows, 0)
        if self.n_rows == 0:
            return np.zeros((len(self.half_lives_ms), len(rows)), dtype=np.float32)
        if len(now) and (now == now[0]).all():
            fade = np.exp2(np.minimum((self.reference_ms - now[0]) / self.half_lives_ms, _REBASE_AT))[:, None]
        else:
            ages = (self.reference_ms[:, None] - now[None, :]) / self.half_lives_ms[:, None]
            fade = np.exp2(np.minimum(ages, _REBASE_AT))
        read: F32 = (self.values[:, safe] * fade * known).astype(np.float32)
        return read

    def total(self, now: int) -> F64:
        """Return the sum over all rows (H,) at ``now``."""
        faded: F64 = self.values.sum(axis=1) * np.exp2((self.reference_ms - now) / self.half_lives_ms)
        return faded

    def _grow(self, n_rows: int) -> None:
        if n_rows > self.n_rows:
            room = np.zeros((len(self.half_lives_ms), max(n_rows, int(self.n_rows * 1.25)) - self.n_rows))
            self.values = np.concatenate([self.values, room], axis=1)

    def state(self, prefix: str) -> dict[str, F64]:
        """Return the counters as arrays named from ``prefix``."""
        return {f"{prefix}.values": self.values, f"{prefix}.reference_ms": self.reference_ms}

    def load_state(self, prefix: str, state: dict[str, F64]) -> None:
        """Take back what ``state`` returned."""
        self.values = np.array(state[f"{prefix}.values"])
        self.reference_ms = np.array(state[f"{prefix}.reference_ms"])
