"""Trades a little relevance for variety."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, I64
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.policy.base import PolicyContext

_TINY = 1e-10


class DiversifyConfig(Config, frozen=True, kw_only=True):
    """Settings of ``diversify``."""

    method: Literal["mmr", "dpp"] = "mmr"
    """Maximal marginal relevance, or the greedy mode of a determinantal point process."""
    relevance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.7
    """1 keeps the order, 0 looks at variety alone."""
    length: Annotated[int, msgspec.Meta(ge=1)] = 20
    """So many places are filled with an eye to variety; the rest keep their order."""
    depth: Annotated[int, msgspec.Meta(ge=1)] = 60
    """From so many candidates of each person."""


class Diversify:
    """MMR (Carbonell and Goldstein 1998) or greedy MAP inference for DPPs (Chen et al. 2018) on language vectors."""

    name = "diversify"
    Config = DiversifyConfig

    def __init__(self, config: DiversifyConfig | None = None, context: PolicyContext | None = None) -> None:
        self.config = config or DiversifyConfig()
        self._context = context or PolicyContext()

    def apply(self, query: Query, items: Candidates) -> Candidates:
        """Return the same candidates in another order; without vectors, in the same."""
        vectors = self._context.vectors
        if vectors is None or self.config.relevance == 1:
            return items
        parts = [
            start + self._order(vectors, items.item_rows[start:end], items.scores[start:end])
            for start, end in zip(items.offsets[:-1].tolist(), items.offsets[1:].tolist(), strict=True)
        ]
        return items.select(np.concatenate(parts) if parts else np.empty(0, dtype=np.int64), items.offsets)

    def _order(self, known: F32, rows: I32, scores: F32) -> I64:
        """Return the positions (n,) of one person's candidates in their new order."""
        head = min(len(rows), self.config.depth)
        if head < 3:
            return np.arange(len(rows))
        vectors = _looked_up(known, rows[:head])
        likeness = vectors @ vectors.T
        relevance = _scaled(scores[:head])
        choose = _mmr if self.config.method == "mmr" else _dpp
        length = min(self.config.length, head)
        chosen = choose(relevance, likeness, self.config.relevance, length)
        rest = np.ones(len(rows), dtype=np.bool_)
        rest[chosen] = False
        return np.concatenate([np.array(chosen, dtype=np.int64), np.flatnonzero(rest)])


def _looked_up(known: F32, rows: I32) -> F32:
    """Return the vectors of rows, zero where an item has none."""
    vectors = np.zeros((len(rows), known.shape[1]), dtype=np.float32)
    inside = rows < len(known)
    vectors[inside] = known[rows[inside]]
    return vectors


def _scaled(scores: F32) -> F32:
    """Bring scores onto [0, 1]; equal ones are all 1."""
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / np.float32(high - low) if high > low else np.ones_like(scores)


def _mmr(relevance: F32, likeness: F32, share: float, length: int) -> list[int]:
    """Choose, one by one, what is relevant and unlike the nearest of those chosen."""
    gain = (share * relevance).astype(np.float32)
    like = likeness * np.float32(1 - share)
    nearest = np.zeros(len(relevance), dtype=np.float32)
    left = np.empty_like(gain)
    chosen: list[int] = []
    for _ in range(length):
        best = int(np.subtract(gain, nearest, out=left).argmax())
        chosen.append(best)
        gain[best] = -np.inf
        np.maximum(nearest, like[best], out=nearest)
    return chosen


def _dpp(relevance: F32, likeness: F32, share: float, length: int) -> list[int]:
    """Choose, one by one, what adds most to the determinant of the chosen items' kernel.

    The kernel is exp(a r_i) S_ij exp(a r_j) with a = share / (2 (1 - share)) and S the likeness, its rows updated by an
    incremental Cholesky factorisation. Stops adding by variety when the chosen items span all others.
    """
    quality = np.exp(share / max(2 * (1 - share), 1e-6) * relevance.astype(np.float64))
    # A ridge: items without a vector, and equal items, keep a determinant above zero.
    similarity = (likeness.astype(np.float64) + np.eye(len(likeness)) * 0.01) * quality[:, None] * quality[None, :]
    left = np.diag(similarity).copy()
    factors = np.zeros((length, len(relevance)))
    chosen: list[int] = []
    for step in range(length):
        best = int(left.argmax())
        if left[best] < _TINY:
            break
        row = (similarity[best] - factors[:step, best] @ factors[:step]) / np.sqrt(left[best])
        factors[step] = row
        left -= row * row
        left[best] = -np.inf
        chosen.append(best)
    return chosen
