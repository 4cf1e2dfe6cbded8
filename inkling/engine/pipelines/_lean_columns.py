"""What ``lean`` knows of a candidate: few columns, each a product or a lookup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.dataset import Interactions
from inkling.core.query import History
from inkling.engine.recall import OPINION

NEAR = OPINION + "near"
_CONSTANT = 60.0  # of reciprocal ranks, as everywhere
_LAST = 5
_FADE = (0.7 ** np.arange(_LAST)).astype(np.float32)
_DAY_MS = 86_400_000.0
_FARTHEST = 500.0  # half-lives that a float of 64 bits can hold apart, with room


@dataclass(slots=True)
class Popularity:
    """How much was taken of each item, later events worth more: one number an item, moved by each event.

    Counts are kept as they would weigh at ``start``; a later event counts for more instead of earlier ones for less.
    """

    half_life_days: float
    start: int = 0
    amounts: F64 = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, events: Interactions, n_items: int, *, until: int, half_life_days: float) -> Self:
        """Count the positive events."""
        made = cls(half_life_days, until, np.zeros(n_items))
        made.update(events)
        return made

    def update(self, events: Interactions) -> None:
        """Count further positive events."""
        rows, ts = events.item_rows[events.positive], events.ts[events.positive]
        good = rows >= 0
        if not good.any():
            return
        rows, ts = rows[good], ts[good]
        if (most := int(rows.max())) >= len(self.amounts):
            self.amounts = np.pad(self.amounts, (0, most + 1 - len(self.amounts)))
        np.add.at(self.amounts, rows, np.exp2(np.clip(self._lives(ts), -_FARTHEST, _FARTHEST)))

    def _lives(self, ts: Array | int) -> Any:
        return (ts - self.start) / (_DAY_MS * self.half_life_days)

    def of_rows(self, rows: I32, now: int) -> F32:
        """Return log(1 + amount) (N,) as it weighs at ``now``."""
        faded = 2.0 ** -min(max(float(self._lives(now)), -_FARTHEST), _FARTHEST)
        if not len(self.amounts):
            return np.zeros(len(rows), dtype=np.float32)
        amounts = self.amounts.take(rows, mode="clip")
        amounts *= faded
        if len(rows) and int(rows.max()) >= len(self.amounts):
            amounts[rows >= len(self.amounts)] = 0.0
        return np.log1p(amounts, out=amounts).astype(np.float32)

    def best(self, k: int) -> I32:
        """Return the rows of the k most popular items."""
        k = min(k, int(np.count_nonzero(self.amounts)))
        top = np.argpartition(-self.amounts, max(k - 1, 0))[:k]
        return top[np.argsort(-self.amounts[top], kind="stable")].astype(np.int32)


@dataclass(frozen=True, slots=True)
class Past:
    """A person's positive events that the model knows, oldest first."""

    rows: I32
    ts: I64

    @classmethod
    def of(cls, history: History, person: int, n_known: int) -> Self:
        """Return what one person of a history did."""
        begin, end = int(history.offsets[person]), int(history.offsets[person + 1])
        rows, ts = history.item_rows[begin:end], history.ts[begin:end]
        good = (history.weights[begin:end] > 0) & (rows >= 0) & (rows < n_known)
        return cls(rows, ts) if good.all() else cls(rows[good], ts[good])

    def last_distinct(self, k: int) -> I32:
        """Return the k items that were last taken, each once."""
        if not len(self.rows):
            return self.rows
        back = self.rows[::-1]
        _, first = np.unique(back, return_index=True)
        first.sort()
        return back[first[:k]]


def columns(products: F32, standing: tuple[float, Array], theirs: F32, recent: F32, popularity: F32) -> dict[str, F32]:
    """Return the columns of one person's candidates.

    Args:
        products: (N,) with the person's vector.
        standing: The best product that the person has with anything shown, and the place (N,) of each among those.
        theirs: (N, d) vectors of the candidates.
        recent: (m, d) vectors of the person's last items, the newest first; m may be 0.
        popularity: (N,).
    """
    best, place = standing
    found = {
        NEAR: products - np.float32(best),
        "rank_near": (1.0 / (_CONSTANT + 1.0 + place)).astype(np.float32),
        "popular": popularity,
    }
    if len(recent):
        cosines = recent @ theirs.T
        found["near_last"], found["near_recent"] = cosines[0], _FADE[: len(recent)] @ cosines
    else:
        found["near_last"] = found["near_recent"] = np.full(len(products), np.nan, dtype=np.float32)
    return found


def again(rows: I32, past: Past, now: int) -> dict[str, F32]:
    """Return how often the person had each candidate, and the days since; NaN where never."""
    had = np.zeros(len(rows), dtype=np.float32)
    since = np.full(len(rows), np.nan, dtype=np.float32)
    if len(past.rows):
        order = np.argsort(past.rows, kind="stable")
        sorted_rows = past.rows[order]
        first, behind = sorted_rows.searchsorted(rows), sorted_rows.searchsorted(rows, side="right")
        had = (behind - first).astype(np.float32)
        there = np.flatnonzero(had)
        since[there] = np.maximum(now - past.ts[order[behind[there] - 1]], 0) / np.float32(_DAY_MS)
    return {"had": np.log1p(had), "days_since": np.log1p(since)}


def recent_of(vectors: F32, past: Past) -> F32:
    """Return the vectors (m, d) of the last items, the newest first, of length one."""
    last = vectors[past.rows[: -_LAST - 1 : -1]]
    lengths = np.sqrt(np.einsum("md,md->m", last, last))
    out: F32 = last / np.maximum(lengths, np.float32(1e-9))[:, None]
    return out


def stacked(parts: list[Mapping[str, F32]]) -> dict[str, F32]:
    """Return the columns of several people, one behind the other."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
