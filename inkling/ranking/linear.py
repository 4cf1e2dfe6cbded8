"""A weighted sum of standardised features: the ranker that anyone can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.ranking._features import decode_names, encode_names, feature_names, people_with_both, table
from inkling.ranking.base import RankingSet

_MAX_STEPS = 50


class LinearConfig(Config, frozen=True, kw_only=True):
    """Settings of ``linear``."""

    loss: Literal["pairwise", "pointwise"] = "pairwise"
    """Logistic loss of taken against left items of the same person, or of each item alone."""
    l2: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """Regularisation, in examples."""
    pairs: Annotated[int, msgspec.Meta(ge=1)] = 10
    """pairwise: each taken item is compared with so many left ones, drawn at random."""
    clip: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Standardised features are cut off at this many standard deviations."""
    features: tuple[str, ...] = ()
    """Columns to learn from; empty takes all."""


class Linear:
    """Logistic regression by Newton's method, of pairs (RankNet's loss, Burges et al. 2005) or of single items.

    A missing feature has a weight of its own instead of a value.
    """

    name = "linear"
    Config = LinearConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"l2": 10.0}, {"loss": "pointwise"})
    space: ClassVar[Space] = {
        "l2": Real(0.01, 1000.0, log=True),
        "pairs": Whole(1, 30, log=True),
        "clip": Real(2.0, 10.0),
        "loss": Choice(("pairwise", "pointwise")),
    }

    def __init__(self, config: LinearConfig | None = None) -> None:
        self.config = config or LinearConfig()
        self._names: tuple[str, ...] = ()
        self._mean = np.zeros(0, dtype=np.float32)
        self._scale = np.zeros(0, dtype=np.float32)
        self._weights = np.zeros(0, dtype=np.float32)  # (2 F,) of values, then of missing values
        self.base = 0.0

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Learn the weights; ``validation`` is not needed.

        Raises:
            DataError: All labels are the same, or a feature is not there.
        """
        self._names = feature_names(data, self.config.features, name=self.name)
        x = table(data.candidates, self._names)
        known = np.isfinite(x)
        n_known = np.maximum(known.sum(axis=0), 1)
        values = np.where(known, x, 0).astype(np.float64)
        mean = values.sum(axis=0) / n_known
        spread = np.sqrt((np.where(known, x - mean, 0) ** 2).sum(axis=0) / n_known)
        self._mean, self._scale = mean.astype(np.float32), np.where(spread > 1e-12, spread, 1).astype(np.float32)
        design = self._design(x)
        weights = np.ones(len(x)) if data.weights is None else data.weights.astype(np.float64)
        if self.config.loss == "pointwise":
            ones = np.ones((len(x), 1), dtype=np.float32)
            signed = np.where(data.labels > 0, 1.0, -1.0)
            free = np.append(np.full(design.shape[1], self.config.l2), 1e-6)
            solved = newton(np.hstack([design, ones]) * signed[:, None], weights, free)
            self._weights, self.base = solved[:-1].astype(np.float32), float(solved[-1])
            return self
        taken, left = _pairs(data, self.config.pairs, run.rng("linear"))
        solved = newton(design[taken] - design[left], weights[taken], np.full(design.shape[1], self.config.l2))
        self._weights, self.base = solved.astype(np.float32), 0.0
        return self

    def _design(self, x: F32) -> F32:
        """Return standardised values and, behind them, which are missing (N, 2 F)."""
        missing = ~np.isfinite(x)
        z = np.clip((np.where(missing, self._mean, x) - self._mean) / self._scale, -self.config.clip, self.config.clip)
        return np.hstack([z, missing]).astype(np.float32)

    def scores(self, query: Query, items: Candidates) -> F32:
        """Return the weighted sums (N,), in the order of ``items``; pointwise, these are log odds of being taken."""
        design = self._design(table(items, self._names))
        # One by one, so that a list's scores do not depend on what else is in the batch.
        found: F32 = (np.einsum("nf,f->n", design, self._weights) + np.float32(self.base)).astype(np.float32)
        return found

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates, best first for each person."""
        return items.with_scores(self.scores(query, items))

    def asks(self) -> frozenset[str]:
        """Return the names of the columns that have a weight."""
        return frozenset(self._names)

    def contributions(self, items: Candidates) -> Mapping[str, F32]:
        """Return what each feature adds to each score (N,); with ``base`` they add up to it."""
        parts = self._design(table(items, self._names)) * self._weights
        n = len(self._names)
        return {name: parts[:, index] + parts[:, n + index] for index, name in enumerate(self._names)}

    def importances(self) -> Mapping[str, float]:
        """Return each feature's share of the sum of absolute weights of standardised values."""
        size = np.abs(self._weights[: len(self._names)])
        return dict(zip(self._names, (size / max(float(size.sum()), 1e-12)).tolist(), strict=True))

    def state(self) -> Mapping[str, Array]:
        """Return names, scales and weights."""
        return {
            "names": encode_names(self._names),
            "mean": self._mean,
            "scale": self._scale,
            "weights": self._weights,
            "base": np.array([self.base]),
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._names = decode_names(state)
        self._mean, self._scale, self._weights = (state[key].astype(np.float32) for key in ("mean", "scale", "weights"))
        self.base = float(state["base"][0])
        return self


def _pairs(data: RankingSet, n_each: int, rng: np.random.Generator) -> tuple[I64, I64]:
    """Return flat positions (P,) of taken items, and of left items of the same person drawn for each."""
    taken: list[I64] = [np.empty(0, dtype=np.int64)]
    left: list[I64] = [np.empty(0, dtype=np.int64)]
    for person in people_with_both(data).tolist():
        start, end = int(data.candidates.offsets[person]), int(data.candidates.offsets[person + 1])
        own = data.labels[start:end] > 0
        positives = np.repeat(start + np.flatnonzero(own), n_each)
        taken.append(positives)
        left.append(rng.choice(start + np.flatnonzero(~own), len(positives)))
    return np.concatenate(taken), np.concatenate(left)


def newton(signed: F32, weights: F64, l2: F64) -> F64:
    """Return b (F,) that minimises sum of w log(1 + exp(-x.b)) + l2/2 |b|^2, by Newton's method with step halving.

    Args:
        signed: (N, F) examples times their label (+1, -1), or differences of pairs.
        weights: (N,).
        l2: (F,).
    """
    b = np.zeros(signed.shape[1])
    loss = _loss(signed, weights, l2, b)
    for _ in range(_MAX_STEPS):
        doubt = 1.0 / (1.0 + np.exp(np.clip(signed @ b, -30, 30)))
        gradient = signed.T @ (weights * doubt) - l2 * b
        curvature = (signed * (weights * doubt * (1 - doubt))[:, None]).T @ signed + np.diag(l2)
        step = np.linalg.solve(curvature.astype(np.float64), gradient)
        size = 1.0
        while size > 1e-4 and _loss(signed, weights, l2, b + size * step) > loss:
            size /= 2
        b, before = b + size * step, loss
        loss = _loss(signed, weights, l2, b)
        if before - loss < 1e-8 * max(abs(before), 1.0):
            break
    return b


def _loss(signed: F32, weights: F64, l2: F64, b: F64) -> float:
    return float(weights @ np.logaddexp(0, -(signed @ b)) + 0.5 * (l2 * b * b).sum())
