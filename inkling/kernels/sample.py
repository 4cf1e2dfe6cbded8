"""Random draws from an explicit generator: without replacement by weight, negatives by popularity, from a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from inkling.core.arrays import F64, I32, I64, Array
from inkling.core.errors import RequestError

T = TypeVar("T")


def sample_without_replacement(weights: Array, k: int, rng: np.random.Generator) -> I32:
    """Draw k distinct rows, one after the other, each with probability proportional to its weight among those left.

    Exponential keys (Efraimidis and Spirakis 2006; the same as Gumbel top-k, Kool et al. 2019) give all draws at once.

    Args:
        weights: (N,) not negative; a zero weight is never drawn.
        k: Number of draws; fewer come back where fewer weights are above zero.
        rng: The generator.

    Returns:
        Rows (m,) int32 in the order in which they were drawn.

    Raises:
        RequestError: Where a weight is negative or not finite.
    """
    weights = np.asarray(weights, dtype=np.float64)
    _check_weights(weights)
    possible = np.flatnonzero(weights)
    keys = rng.standard_exponential(len(possible)) / weights[possible]
    return possible[np.argsort(keys, kind="stable")[: max(k, 0)]].astype(np.int32)


def negative_distribution(popularity: Array, *, power: float = 0.75) -> F64:
    """Return the cumulative distribution (N,) over items that is proportional to ``popularity ** power``.

    Raises:
        RequestError: Where a count is negative or not finite, or all are zero.
    """
    counts = np.asarray(popularity, dtype=np.float64)
    _check_weights(counts)
    weights = np.where(counts > 0, counts, 0.0) ** power if power else np.ones(len(counts))
    total = weights.sum()
    if not total > 0:
        raise RequestError("No item can be drawn: every popularity is zero.", hint="Pass counts with one above zero.")
    return np.asarray(np.cumsum(weights) / total)


def sample_negatives(
    rng: np.random.Generator, n: int, n_items: int, *, popularity: Array | None = None, power: float = 0.75
) -> I32:
    """Draw n item rows with replacement: uniformly, or in proportion to ``popularity ** power`` (Mikolov et al. 2013).

    Args:
        rng: The generator.
        n: Number of draws.
        n_items: Rows are drawn from ``0 .. n_items - 1``.
        popularity: (n_items,) counts; None draws uniformly.
        power: 1 follows the counts, 0 draws uniformly, .75 lies between.

    Returns:
        Rows (n,) int32.
    """
    if popularity is None:
        return rng.integers(n_items, size=n, dtype=np.int32)
    return draw(negative_distribution(popularity, power=power), n, rng)


def draw(cumulative: F64, n: int, rng: np.random.Generator) -> I32:
    """Draw n rows (n,) int32 with replacement from a cumulative distribution (N,) whose last entry is one."""
    rows: I64 = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return rows.astype(np.int32)


def reservoir(stream: Iterable[T], k: int, rng: np.random.Generator) -> list[T]:
    """Return k elements of a stream of unknown length, each equally likely, in one pass (algorithm R, Vitter 1985)."""
    kept: list[T] = []
    for index, element in enumerate(stream):
        if len(kept) < k:
            kept.append(element)
        elif k > 0 and (place := int(rng.integers(index + 1))) < k:
            kept[place] = element
    return kept


def _check_weights(weights: F64) -> None:
    bad = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if len(bad):
        raise RequestError(
            f"Weight {weights[bad[0]]} at row {bad[0]} cannot be drawn by.", hint="Weights are finite and not negative."
        )
