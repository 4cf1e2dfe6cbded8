"""Clicks tell of places as well as of items: how likely a place is looked at, and weights that undo it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64
from inkling.core.errors import DataError
from inkling.ranking._features import table
from inkling.ranking.base import RankingSet

Correction = Literal["ignore", "inverse", "tower"]
"""Nothing; clicks weigh by inverse propensity; or a tower of places that is learned beside and dropped in serving."""

_ROUNDS = 100
_ENOUGH = 1e-5
_LEAST = 0.05  # a place that is looked at less often does not weigh more for it: variance would win


def corrected(data: RankingSet, how: Correction) -> RankingSet:
    """Return the set with clicks weighted by inverse propensity (Joachims et al. 2017), where that is asked for.

    Raises:
        DataError: A correction is asked for, and the set does not tell where items were shown.
    """
    if how == "ignore":
        return data
    if data.positions is None or not (data.positions >= 0).any():
        raise DataError(
            f"position = '{how}' needs to know where candidates were shown, which the set does not tell.",
            hint="Learn from impressions with their places (RankingSet.positions), or set position = 'ignore'.",
        )
    if how == "tower":
        return data
    weights = inverse_weights(data.labels, data.positions, propensities(data))
    weights = weights if data.weights is None else (weights * data.weights).astype(np.float32)
    return RankingSet(data.query, data.candidates, data.labels, weights, data.further, data.positions)


def inverse_weights(clicks: F32, positions: I32, looked_at: F64) -> F32:
    """Return (N,) 1 / propensity of the place for what was clicked, 1 for the rest and where the place is not known.

    Args:
        clicks: (N,) 0 or 1.
        positions: (N,) from 0; -1 where it is not known.
        looked_at: (P,) propensity of each place.
    """
    each = np.maximum(looked_at, _LEAST)[np.clip(positions, 0, len(looked_at) - 1)]
    return np.where((clicks > 0) & (positions >= 0), 1 / each, 1.0).astype(np.float32)


def propensities_of_random(clicks: F32, positions: I32) -> F64:
    """Return (P,) how likely each place is looked at, relative to the first, where places were drawn at random.

    Then items are the same everywhere on average, and so the rates of clicks tell (Joachims et al. 2017, section 5.3).
    """
    known = positions >= 0
    shown = np.bincount(positions[known]).astype(np.float64)
    rate = (np.bincount(positions[known], clicks[known]) + 0.5) / (shown + 1.0)
    relative: F64 = np.minimum(rate / rate[0], 1.0)
    return relative


def propensities(data: RankingSet, *, by: Literal["features", "items"] = "features") -> F64:
    """Return (P,) how likely each place is looked at, relative to the first, by expectation maximisation.

    A click is "looked at" and "relevant" (the position-based model). Given both, places and relevance are means; given
    these, the chance of each is Bayes' rule. Relevance comes from a logistic regression on the features (regression EM,
    Wang et al. 2018), or is a number of each item. Items must have been shown in several places, in other orders than
    relevance alone would put them.

    Args:
        data: Impressions with ``positions``; labels are clicks.
        by: What relevance depends on.

    Raises:
        DataError: No place is known.
    """
    if data.positions is None or not (data.positions >= 0).any():
        raise DataError("Propensities need positions, and none is known.", hint="Set RankingSet.positions.")
    known = data.positions >= 0
    places, clicks = data.positions[known].astype(np.int64), (data.labels[known] > 0).astype(np.float64)
    relevance = _ByItem(data.candidates.item_rows[known]) if by == "items" else _ByFeatures(data, known)
    looked_at = np.maximum(propensities_of_random(clicks.astype(np.float32), places.astype(np.int32)), _LEAST)
    liked = relevance.step(np.maximum(clicks, clicks.mean()))
    for _ in range(_ROUNDS):
        before = looked_at
        theta = looked_at[places]
        unclicked = np.maximum(1 - theta * liked, 1e-9)
        seen = np.where(clicks > 0, 1.0, theta * (1 - liked) / unclicked)
        good = np.where(clicks > 0, 1.0, (1 - theta) * liked / unclicked)
        looked_at = (np.bincount(places, seen) + 1e-3) / (np.bincount(places) + 1e-3)
        liked = relevance.step(good)
        if np.abs(looked_at - before).max() < _ENOUGH:
            break
    relative: F64 = np.clip(looked_at / looked_at[0], 1e-6, 1.0)
    return relative


class _ByItem:
    """Relevance as a number of each item."""

    def __init__(self, rows: I32 | I64) -> None:
        _, self._items = np.unique(rows, return_inverse=True)
        self._shown = np.bincount(self._items)

    def step(self, good: F64) -> F64:
        """Return the relevance (N,) of each impression, given the chance (N,) that it was relevant."""
        total = good.mean()
        each: F64 = (np.bincount(self._items, good) + total) / (self._shown + 1.0)
        return each[self._items]


class _ByFeatures:
    """Relevance as a logistic regression on standardised features; a step of Newton's method a round."""

    def __init__(self, data: RankingSet, known: np.ndarray) -> None:
        x = table(data.candidates, sorted(data.candidates.fields))[known].astype(np.float64)
        with np.errstate(invalid="ignore"):
            there = np.isfinite(x)
            n = np.maximum(there.sum(axis=0), 1)
            mean = np.where(there, x, 0).sum(axis=0) / n
            spread = np.sqrt(np.where(there, (x - mean) ** 2, 0).sum(axis=0) / n)
        scaled = np.clip(np.where(there, (x - mean) / np.where(spread > 1e-12, spread, 1), 0), -5, 5)
        self._x = np.hstack([scaled, np.ones((len(x), 1))])
        self._b = np.zeros(self._x.shape[1])
        self._begun = False

    def step(self, good: F64) -> F64:
        """Return the relevance (N,) of each impression, given the chance (N,) that it was relevant."""
        for _ in range(1 if self._begun else 8):
            p = self._chance()
            curvature = (self._x * np.maximum(p * (1 - p), 1e-4)[:, None]).T @ self._x
            curvature[np.diag_indices(len(self._b))] += 1.0
            self._b += np.linalg.solve(curvature, self._x.T @ (good - p) - self._b)
        self._begun = True
        return self._chance()

    def _chance(self) -> F64:
        chance: F64 = 1 / (1 + np.exp(-np.clip(self._x @ self._b, -15, 15)))
        return chance
