"""How what speaks for an item becomes a chance, and the chance of a cold item a place among a person's warm ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array, Bool
from inkling.kernels.topk import topk
from inkling.retrieval._aligned import Asked, top_of

DEPTH = 100
"""So many of a person's best warm items are looked at when a place among them is sought."""
_AHEAD = 3.0


@dataclass(frozen=True, eq=False)
class Chances:
    """Logistic regression of being right on standardised features."""

    weights: F64  # (F,)
    bias: float
    centre: F64  # (F,)
    spread: F64  # (F,)

    def __call__(self, features: F32) -> F32:
        """Return the log of the chances (N,) that features (N, F) give."""
        scaled = self.weights / self.spread
        logits = features @ scaled.astype(np.float32) + np.float32(self.bias - self.centre @ scaled)
        return np.asarray(-np.logaddexp(0, -logits), np.float32)

    @classmethod
    def fitted(cls, x: F64, right: Bool, counts: F64) -> Chances:
        """Fit to rows (N, F) that stand for ``counts`` pairs each, with a small ridge."""
        from scipy.optimize import minimize

        centre, spread = x.mean(axis=0), x.std(axis=0)
        flat = spread < 1e-6
        spread[flat] = 1.0
        x = np.where(flat, 0, (x - centre) / spread)

        def loss(theta: F64) -> tuple[float, F64]:
            z = x @ theta[:-1] + theta[-1]
            value = float(counts @ (np.logaddexp(0, z) - right * z) + theta[:-1] @ theta[:-1])
            delta = counts * (1 / (1 + np.exp(-np.clip(z, -60, 60))) - right)
            return value, np.append(x.T @ delta + 2 * theta[:-1], delta.sum())

        start = np.zeros(x.shape[1] + 1)
        start[-1] = np.log(max(float(counts @ right), 0.5) / float(counts.sum()))
        theta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
        return cls(theta[:-1], float(theta[-1]), centre, spread)

    def to_array(self) -> F64:
        """Return all numbers (F + 1, 3)."""
        rest = [[self.bias, 0, 0]]
        return np.concatenate([np.stack([self.weights, self.centre, self.spread], axis=1), rest])

    @classmethod
    def from_array(cls, numbers: F64) -> Chances:
        """Take over what :meth:`to_array` returned."""
        weights, centre, spread = numbers[:-1].T
        return cls(weights, float(numbers[-1, 0]), centre, spread)


@dataclass(frozen=True, eq=False)
class Judge:
    """The chances of cold items and of warm ones by rank, and what cold chances are multiplied by before they meet."""

    cold: Chances
    warm: Chances
    lift: float
    """Chosen so that warm items lose no more than agreed."""

    def warm_chances(self, asked: Asked, best: Best, about: F32) -> F32:
        """Return the logarithms of the chances (R,) of a person's best warm items; none is above the one before it.

        Args:
            asked: The question.
            best: The best warm items.
            about: (R, 4) what is known of each beside its score.
        """
        chances = self.warm(warm_features(asked, best, about))
        return np.minimum.accumulate(chances)

    def places(self, features: F32, warm: F32, scores: F32) -> F32:
        """Return the scores (C,) that put cold items with these ``features`` where the chances of ``warm`` fall below.

        Args:
            features: (C, F) of the cold items.
            warm: (R,) logarithms of the chances of the best warm items, descending.
            scores: (R,) their scores, descending and above 0.
        """
        chances = self.cold(features) + np.float32(np.log(self.lift))
        return placed(chances, warm, scores) if len(scores) else np.exp(chances)

    def to_arrays(self) -> dict[str, Array]:
        """Return all numbers."""
        arrays: dict[str, Array] = {"chances.cold": self.cold.to_array(), "chances.warm": self.warm.to_array()}
        return {**arrays, "lift": np.array([self.lift])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Judge | None:
        """Take over what :meth:`to_arrays` returned; None where there is nothing."""
        if "lift" not in arrays:
            return None
        cold, warm = (Chances.from_array(np.asarray(arrays[f"chances.{name}"])) for name in ("cold", "warm"))
        return cls(cold, warm, float(arrays["lift"][0]))


class Best(NamedTuple):
    """A person's best warm items."""

    rows: I32  # (R,)
    scores: F32  # (R,) descending, above 0

    @classmethod
    def of(cls, scores: F32) -> Best:
        """Take the best of scores (n,)."""
        return cls(*topk(scores, DEPTH, mask=scores > 0))


def warm_features(asked: Asked, best: Best, about: F32) -> F32:
    """Return what tells how likely a person's best warm items are right (R, 8): place, score, what is known, person."""
    top = top_of(asked.scores)
    person = np.array([np.log1p(asked.n_events), np.log(top)], np.float32)
    ranks = np.log(np.arange(1, len(best.rows) + 1, dtype=np.float32))
    own = np.stack([ranks, np.log(best.scores / top + np.float32(1e-3))], axis=1)
    return np.concatenate([own, about, np.broadcast_to(person, (len(ranks), 2))], axis=1)


def placed(chances: F32, warm: F32, best: F32) -> F32:
    """Return scores (C,) that put each chance among the ``best`` (R,) where those of the ``warm`` (R,) fall below it.

    Both chances are logarithms. A cold item stands before the first warm one whose chance is not above its own.
    """
    step = np.arange(len(best) + 1, dtype=np.float32) * np.float32(1e-4)
    edges = -np.concatenate([[warm[0] + _AHEAD], warm]) + step
    found = np.interp(-chances, edges, np.concatenate([[best[0] * 2], best]))
    beyond = best[-1] * np.exp(np.minimum(chances + edges[-1], 0))
    return np.asarray(np.where(-chances > edges[-1], beyond, found), np.float32)
