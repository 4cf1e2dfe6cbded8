"""The value that a person would give an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Real, Space, Whole
from inkling.metrics.rmse import rmse
from inkling.ranking._biases import Biases, Shrink, Told
from inkling.ranking._numbers import Numbers, Treatment
from inkling.ranking.base import RankingSet

_HELD_OUT = 5  # every fifth person tells the error


class RatingConfig(Config, frozen=True, kw_only=True):
    """Settings of ``rating``."""

    dim: Annotated[int, msgspec.Meta(ge=0)] = 8
    """Factors of taste; 0 has none."""
    item_l2: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """An item's bias is drawn to 0 as by so many average values."""
    person_l2: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """A person's bias, likewise."""
    factor_l2: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    """Regularisation of the factors, for each value."""
    rounds: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Turns between people and items."""
    l2: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """Regularisation of the regression on biases, factors and features, in examples."""
    numbers: Treatment = "log"
    """How feature columns are read: on one scale, by logarithm first where they are skewed, or by quantile."""
    features: tuple[str, ...] | None = None
    """Columns to learn from; none given takes all."""


class Rating:
    """Least squares on biases, factors (Koren, Bell and Volinsky 2009) and features, each as known before the rating.

    Biases and factors come from the values in the histories; a regression on the labelled candidates, whose ratings are
    in no history, then says how far to trust them. After it, they are learned once more from all values. A person is
    folded in from their history, so that a rating counts in the next answer. Labels: ``further["rating"]``, NaN where
    there is none; :func:`inkling.ranking.values_of_events` makes them.
    """

    name = "rating"
    Config = RatingConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"dim": 0}, {"dim": 16, "factor_l2": 0.2})
    space: ClassVar[Space] = {
        "dim": Whole(0, 32),
        "item_l2": Real(1.0, 30.0, log=True),
        "person_l2": Real(1.0, 30.0, log=True),
        "factor_l2": Real(0.02, 1.0, log=True),
        "l2": Real(0.1, 1000.0, log=True),
    }

    def __init__(self, config: RatingConfig | None = None) -> None:
        self.config = config or RatingConfig()
        self._numbers = Numbers.learn(Candidates.empty(0), (), "log")
        self._biases = Biases(0.0, np.zeros(0), np.zeros(0), np.zeros((0, 0)))
        self._weights = np.zeros(0)  # (5 + D + 1,)
        self._range = (0.0, 0.0)
        self._errors: dict[str, float] = {}

    @property
    def _shrink(self) -> Shrink:
        config = self.config
        return Shrink(config.item_l2, config.person_l2, config.factor_l2, config.dim, config.rounds)

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Learn from the labelled candidates; ``validation``, or else people held out, tell the error.

        Raises:
            DataError: There are no ratings, or all are the same, or a feature is not there.
        """
        given = _ratings(data)
        known = data.keep(np.isfinite(given))
        values: F64 = given[np.isfinite(given)].astype(np.float64)
        names = self._named(known.candidates)
        self._range = (float(values.min()), float(values.max()))
        self._numbers = Numbers.learn(known.candidates, names, self.config.numbers)
        n_items = data.query.n_items
        self._biases = Biases.learn(_told(known, n_items), n_items, self._shrink, run.rng("rating"))
        design = self._design(known.query, known.candidates)
        weights = np.ones(len(values)) if known.weights is None else known.weights.astype(np.float64)
        self._tell(known, design, values, weights, validation)
        self._weights = self._regression(design, values, weights)
        self._biases = Biases.learn(_told(known, n_items, values), n_items, self._shrink, run.rng("rating"))
        return self

    def _named(self, items: Candidates) -> tuple[str, ...]:
        wanted = self.config.features
        missing = [name for name in wanted or () if name not in items.fields]
        if missing:
            raise DataError(
                f"'rating' cannot be fitted: the candidates have no column {', '.join(missing)}.",
                hint=f"They have: {', '.join(sorted(items.fields))}.",
            )
        return tuple(sorted(items.fields)) if wanted is None else wanted

    def _regression(self, design: F64, values: F64, weights: F64) -> F64:
        """Return ridge weights on what is above the mean; biases are drawn to full trust, the rest to none."""
        prior = np.zeros(design.shape[1])
        prior[:3] = 1
        target = values - self._biases.mean - design @ prior
        penalty = np.full(len(prior), self.config.l2)
        penalty[-1] = 1e-6
        gram = (design * weights[:, None]).T @ design + np.diag(penalty)
        solved: F64 = prior + np.linalg.solve(gram, design.T @ (weights * target))
        return solved

    def _tell(self, data: RankingSet, design: F64, values: F64, weights: F64, validation: RankingSet | None) -> None:
        """Measure RMSE and MAE on ratings that the regression has not seen, beside those of the mean."""
        if validation is not None:
            actual = _ratings(validation).astype(np.float64)
            self._weights = self._regression(design, values, weights)
            predicted = self.predict(validation.query, validation.candidates).astype(np.float64)
            known = np.isfinite(actual)
            predicted, actual = predicted[known], actual[known]
        else:
            held = data.candidates.segment_rows % _HELD_OUT == _HELD_OUT - 1
            if not held.any() or held.all():
                return
            solved = self._regression(design[~held], values[~held], weights[~held])
            predicted = np.clip(self._biases.mean + design[held] @ solved, *self._range)
            actual = values[held]
        self._errors = {
            "rmse": rmse(predicted, actual),
            "mae": float(np.abs(predicted - actual).mean()),
            "rmse_of_mean": rmse(np.full(len(actual), values.mean()), actual),
        }

    def errors(self) -> Mapping[str, float]:
        """Return RMSE and MAE on ratings unknown to the regression, and the RMSE of the mean; empty for too few."""
        return dict(self._errors)

    def _design(self, query: Query, items: Candidates) -> F64:
        history = query.history
        told = Told.of(history.offsets, history.item_rows, history.values, n_items=len(self._biases.items))
        own = self._biases.columns(told, self._shrink, items.segment_rows, items.item_rows)
        return np.hstack([own, self._numbers.read(items), np.ones((len(own), 1))])

    def predict(self, query: Query, items: Candidates) -> F32:
        """Return the value (N,) that each person would give each candidate, within the range that was seen."""
        if not len(self._weights) or not len(items.item_rows):
            return np.full(len(items.item_rows), self._biases.mean, dtype=np.float32)
        design = self._design(query, items)
        # One by one, so that a value does not depend on what else is asked.
        values = self._biases.mean + np.einsum("nf,f->n", design, self._weights)
        within: F32 = np.clip(values, *self._range).astype(np.float32)
        return within

    def scores(self, query: Query, items: Candidates) -> F32:
        """Return the predicted values (N,), in the order of ``items``."""
        return self.predict(query, items)

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates, the most valued first."""
        return items.with_scores(self.predict(query, items))

    def asks(self) -> frozenset[str]:
        """Return the names of the columns that are read."""
        return frozenset(self._numbers.names)

    def state(self) -> Mapping[str, Array]:
        """Return biases, factors, weights and how columns are read."""
        errors = [self._errors.get(name, np.nan) for name in ("rmse", "mae", "rmse_of_mean")]
        own = {"weights": self._weights, "range": np.array(self._range), "errors": np.array(errors)}
        return {**self._numbers.state(), **self._biases.state(), **own}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._numbers, self._biases = Numbers.of_state(state), Biases.of_state(state)
        self._weights = np.array(state["weights"])
        low, high = np.array(state["range"]).tolist()
        self._range = (low, high)
        named = zip(("rmse", "mae", "rmse_of_mean"), np.array(state["errors"]).tolist(), strict=True)
        self._errors = {name: value for name, value in named if np.isfinite(value)}
        return self


def _ratings(data: RankingSet) -> F32:
    """Return the ratings (N,).

    Raises:
        DataError: There are none, or all are the same.
    """
    values = data.further.get("rating")
    if values is None or not np.isfinite(values).any():
        raise DataError("'rating' cannot be fitted: no rating is known.", hint='Give RankingSet.further["rating"].')
    if np.nanmin(values) == np.nanmax(values):
        raise DataError(f"'rating' cannot be fitted: all {len(values)} candidates have the same label.")
    return values


def _told(data: RankingSet, n_items: int, values: F64 | None = None) -> Told:
    """Return the values of the histories, each event once, and those of the candidates where they are given."""
    history, query = data.query.history, data.query
    owners = np.repeat(np.arange(len(query)), np.diff(history.offsets))
    users = np.where(query.user_rows >= 0, query.user_rows, -1 - np.arange(len(query)))
    rows, times, given = history.item_rows, history.ts, history.values
    whose = users[owners]
    if values is not None:
        people = data.candidates.segment_rows
        whose, rows = np.concatenate([whose, users[people]]), np.concatenate([rows, data.candidates.item_rows])
        times, given = np.concatenate([times, query.now[people]]), np.concatenate([given, values.astype(np.float32)])
    # A person whom several windows ask about has one past: the same event in two histories counts once.
    _, first = np.unique(np.stack([whose, rows, times]), axis=1, return_index=True)
    order = first[np.argsort(whose[first], kind="stable")]
    _, counts = np.unique(whose[order], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Told.of(offsets, rows[order], given[order], n_items=n_items)
