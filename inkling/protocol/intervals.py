"""How sure a number is: people are drawn again and again (the bootstrap), and two models are compared person by person.

A person who stands in several folds or events is drawn with all of them, so that pooled cuts do not feign more people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import F64, I32, I64
from inkling.core.errors import ProtocolError

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over people, and the range that 95% of the bootstrap's means lie in."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against another on the same people: paired, so what is hard for both does not blur the difference."""

    difference: Interval
    ratio: Interval
    share: float
    """Share of the resamples in which the first model is not better: a one-sided p value."""


def resample(values: F64, user_rows: I32, *, n_resamples: int = 1000, seed: int = 0) -> F64:
    """Return the means (R, M) of M columns in R draws of people with replacement (Efron 1979).

    Args:
        values: (N, M) a row for each person, or several rows for a person.
        user_rows: (N,) whose row it is.
        n_resamples: R.
        seed: The same seed draws the same people, whatever the columns hold.

    Raises:
        ProtocolError: There is no row, or the rows are not about ``user_rows``.
    """
    if not len(values) or len(values) != len(user_rows):
        raise ProtocolError(
            f"{len(values)} rows of values for {len(user_rows)} people; expected equally many, at least 1."
        )
    sums, counts = _by_person(values, user_rows)
    rng = np.random.default_rng(seed)
    means = np.empty((n_resamples, values.shape[1]))
    for start in range(0, n_resamples, _CHUNK):
        draws = _draw(rng, min(_CHUNK, n_resamples - start), len(counts))
        means[start : start + len(draws)] = (draws @ sums) / (draws @ counts)[:, None]
    return means


def intervals(values: F64, user_rows: I32, *, n_resamples: int = 1000, seed: int = 0) -> list[Interval]:
    """Return mean and 95% percentile interval of each of M columns (N, M); NaN where there are no people."""
    if not len(values):
        return [Interval(float("nan"), float("nan"), float("nan"), 0)] * values.shape[1]
    low, high = np.percentile(resample(values, user_rows, n_resamples=n_resamples, seed=seed), [2.5, 97.5], axis=0)
    means, n = values.mean(axis=0), len(np.unique(user_rows))
    return [Interval(float(m), float(a), float(b), n) for m, a, b in zip(means, low, high, strict=True)]


def compare(ours: F64, theirs: F64, user_rows: I32, *, n_resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare two models on the same rows.

    Args:
        ours: (N,) the first model's values.
        theirs: (N,) the second model's values, row by row of the same people.
        user_rows: (N,) whose row it is.
        n_resamples: How many times people are drawn.
        seed: Of the draws.

    Raises:
        ProtocolError: There is no row, or the models were not measured on the same rows.
    """
    if len(ours) != len(theirs):
        raise ProtocolError(f"The models were measured on {len(ours)} and {len(theirs)} rows; a pair needs the same.")
    both = resample(np.stack([ours, theirs], axis=1), user_rows, n_resamples=n_resamples, seed=seed)
    drawn, n = both[:, 0] - both[:, 1], len(np.unique(user_rows))
    ratios = np.divide(both[:, 0], both[:, 1], out=np.full(len(both), np.nan), where=both[:, 1] > 0)
    base = float(theirs.mean())
    ratio = float(ours.mean()) / base if base > 0 else float("nan")
    return Comparison(
        difference=Interval(float(ours.mean()) - base, *_range(drawn), n),
        ratio=Interval(ratio, *_range(ratios), n),
        share=float((drawn <= 0).mean()),
    )


def pool(parts: Sequence[tuple[F64, I32]]) -> tuple[F64, I32]:
    """Return the rows of several folds or cuts one after the other; people keep their rows, so they are drawn whole."""
    return np.concatenate([values for values, _ in parts]), np.concatenate([rows for _, rows in parts])


def _by_person(values: F64, user_rows: I32) -> tuple[F64, F64]:
    people, person = np.unique(user_rows, return_inverse=True)
    if len(people) == len(values):
        # Sorted by person, so that the draw does not depend on the order of the rows.
        return values[np.argsort(user_rows, kind="stable")].astype(np.float64), np.ones(len(people))
    sums = np.zeros((len(people), values.shape[1]))
    np.add.at(sums, person, values)
    return sums, np.bincount(person).astype(np.float64)


def _draw(rng: np.random.Generator, n_draws: int, n_people: int) -> F64:
    """Return how often each person is drawn: (n_draws, n_people)."""
    drawn: I64 = rng.integers(0, n_people, size=(n_draws, n_people))
    drawn += np.arange(n_draws)[:, None] * n_people
    return np.bincount(drawn.ravel(), minlength=n_draws * n_people).reshape(n_draws, n_people).astype(np.float64)


def _range(draws: F64) -> tuple[float, float]:
    known = draws[~np.isnan(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
