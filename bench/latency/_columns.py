"""The columns that the peers' rankers read, for one person's candidates: numpy alone, the same for both peers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.latency._world import DAY_MS, World

_MANY, _OF_ITEMS = 24, 12
_POPULAR = 1  # of the table: decayed over a month
_FADE = 0.7 ** np.arange(5, dtype=np.float32)
_DAY = np.float32(DAY_MS)


def columns(world: World, rows: Any, scores: Any, past: tuple[Any, Any]) -> Any:
    """Return (n, columns) float32; NaN is unknown. The world says whether they are few (5) or many (24).

    Args:
        world: The items.
        rows: (n,) candidates, best first.
        scores: (n,) what recall said of them.
        past: Item rows and times of the person's last events, oldest first.
    """
    return (_few if world.about["columns"] == "few" else _many)(world, rows, scores, past)


def _few(world: World, rows: Any, scores: Any, past: tuple[Any, Any]) -> Any:
    """Return what the pipeline ``lean`` reads: score, place, popularity, nearness to the last and to the recent."""
    out = np.full((len(rows), 5), np.nan, dtype=np.float32)
    out[:, 0] = scores - scores.max(initial=0.0)
    out[:, 1] = 1.0 / np.arange(61.0, 61.0 + len(rows))
    out[:, 2] = world.table[rows, _POPULAR]
    if len(past[0]):
        last = world.vectors[past[0][::-1][:5]]
        cosines = world.vectors[rows] @ last.T
        out[:, 3] = cosines[:, 0]
        out[:, 4] = cosines @ _FADE[: len(last)]
    return out


def _many(world: World, rows: Any, scores: Any, past: tuple[Any, Any]) -> Any:
    out = np.full((len(rows), _MANY), np.nan, dtype=np.float32)
    out[:, :_OF_ITEMS] = world.table[rows]
    out[:, 12] = scores
    out[:, 13] = 1.0 / np.arange(61.0, 61.0 + len(rows))
    had, times = past
    out[:, 22] = len(had)
    if len(had):
        _near(out, world.vectors, rows, had)
        _before(out, world, rows, past)
        out[:, 23] = np.float32(world.now - times[-1]) / _DAY
    return out


def _near(out: Any, vectors: Any, rows: Any, had: Any) -> None:
    last = vectors[had[::-1][:5]]
    cosines = vectors[rows] @ last.T
    profile = _FADE[: len(last)] @ last
    out[:, 14] = cosines[:, 0]
    out[:, 15] = cosines @ _FADE[: len(last)] / (float(np.sqrt(profile @ profile)) or 1.0)
    out[:, 16] = cosines.max(axis=1)


def _before(out: Any, world: World, rows: Any, past: tuple[Any, Any]) -> None:
    had, times = past
    same = rows[:, None] == had[None, :]
    n_same = same.sum(axis=1)
    out[:, 17] = n_same
    some = np.flatnonzero(n_same)
    if len(some):
        newest = len(had) - 1 - same[some][:, ::-1].argmax(axis=1)
        out[some, 18] = (world.now - times[newest]).astype(np.float32) / _DAY
    alike = (world.kinds[rows][:, None] == world.kinds[had][None, :]).sum(axis=1)
    out[:, 19] = alike
    out[:, 20] = alike / np.float32(len(had))
    out[:, 21] = out[:, _OF_ITEMS - 1] - world.table[had, _OF_ITEMS - 1].mean()


def various(vectors: Any, scores: Any, k: int, *, relevance: float) -> list[int]:
    """Return k places of candidates (best first), what is relevant and unlike the nearest of those chosen (MMR).

    Args:
        vectors: (n, d) of the candidates, of length one.
        scores: (n,) their scores.
        k: How many.
        relevance: 1 keeps the order, 0 looks at variety alone.
    """
    likeness = vectors @ vectors.T
    low, high = float(scores.min()), float(scores.max())
    worth = relevance * (scores - low) / ((high - low) or 1.0)
    nearest = np.zeros(len(scores), dtype=np.float32)
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        best = int((worth - (1 - relevance) * nearest).argmax())
        chosen.append(best)
        worth[best] = -np.inf
        np.maximum(nearest, likeness[best], out=nearest)
    return chosen
