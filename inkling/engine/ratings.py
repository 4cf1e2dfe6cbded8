"""What ``score`` answers where the scenario asks for a rating: learned from the values that people gave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inkling.core.arrays import F32, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.ranking import rated, values_of_events
from inkling.ranking.base import RankingSet
from inkling.ranking.rating import Rating, RatingConfig

HELD = 0.1
"""Share of the values that tell how far biases and factors can be trusted: the newest where times are real."""
_LEAST = 3


def fitted(data: Dataset, run: Run) -> tuple[Rating | None, str]:
    """Return what predicts ratings, or None and the reason: there are too few values, or all are the same."""
    known = np.isfinite(data.interactions.values)
    values = data.interactions.values[known]
    if len(values) < 2 * _LEAST or values.min() == values.max():
        return None, f"rating: {len(values)} values, {len(np.unique(values))} of them different, are too few"
    held = known & _held(data, known, run)
    if not held.any() or held[known].all():
        return None, f"rating: {len(values)} values are too few to hold some out"
    made = Rating(RatingConfig(features=())).fit(_set(data, held), run)
    return made, ""


def predicted(rating: Rating, query: Query, items: Jagged) -> F32:
    """Return the value (N,) that each person would give each item, in the order of ``items``."""
    zeros = np.zeros(len(items.values), dtype=np.float32)
    return rating.predict(query, Candidates.of(items.offsets, items.values, zeros, source="asked"))


def errors(rating: Rating | None) -> dict[str, float]:
    """Return RMSE and MAE on values that were held out, for the report; empty where no rating is predicted."""
    return {} if rating is None else dict(rating.errors())


def _set(data: Dataset, held: Bool) -> RankingSet:
    """Return everyone with a value: what was held out as labelled candidates, all earlier values as histories."""
    rest, happened = data.interactions.select(~held), data.interactions.select(held)
    valued = np.isfinite(data.interactions.values)
    people = np.unique(data.interactions.user_rows[valued]).astype(np.int32)
    items = rated(people, happened)
    query = replace(data, interactions=rest).query(people)
    labels = values_of_events(items, people, happened)
    return RankingSet(query, items, np.ones(len(labels), np.float32), further={"rating": labels})


def _held(data: Dataset, known: Bool, run: Run) -> Bool:
    """Return (N,) which events are held out: the newest values, each person's last, or some drawn."""
    if data.scenario.time == "real":
        times = np.sort(data.interactions.ts[known])
        newest: Bool = data.interactions.ts > times[int((1 - HELD) * len(times))]
        return newest
    if data.scenario.time == "order":
        return _last_of_each(data.interactions, known)
    return run.rng("ratings").random(len(known)) < HELD


def _last_of_each(events: Interactions, known: Bool) -> Bool:
    at = np.flatnonzero(known)
    newest = np.zeros(int(events.user_rows.max(initial=-1)) + 1, dtype=np.int64)
    newest[events.user_rows[at]] = at
    count = np.bincount(events.user_rows[at], minlength=len(newest))
    held = np.zeros(len(known), dtype=np.bool_)
    held[newest[count >= _LEAST]] = True
    return held
