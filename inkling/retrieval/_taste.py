"""What a person's history says about their taste: item rows with weights, by strength, age and repetition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.query import History, Query
from inkling.retrieval.base import Because

DAY_MS = 86_400_000.0
Repeats = Literal["once", "session", "event"]
Positive = Annotated[float, msgspec.Meta(gt=0)]
AtLeastZero = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class TasteConfig(Config, frozen=True, kw_only=True):
    """How a history is read when a question is answered."""

    half_life_days: AtLeastZero = 0.0
    """Age at which an event of the history counts half; 0 is no decay."""
    repeats: Repeats = "once"
    """How often an item that a person had several times counts: once, once a session, or with each event."""
    max_events: Count = 0
    """Only so many of the latest positive events are read; 0 reads all."""
    fade: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """What each event counts beside the one after it, whenever they were; 1 does not fade."""


@dataclass(frozen=True, slots=True)
class Taste:
    """One person's positives: rows may come several times, their weights add up. M entries in all."""

    rows: I32  # (M,)
    weights: F32  # (M,)


def day_length(data: Dataset) -> float:
    """Return how long a day is in the units of the timestamps.

    Where times are real: 86,400,000 ms. Where they are an order only, a day is a hundredth of the span of the events,
    so that half-lives and windows keep a meaning. Where there is no time it is infinite: nothing ages.
    """
    if data.scenario.time == "real":
        return DAY_MS
    ts = data.interactions.ts
    if data.scenario.time == "none" or not len(ts):
        return np.inf
    return max(float(ts.max() - ts.min()) / 100.0, 1.0)


def decay(ages: I64 | F64, half_life_days: float, day: float) -> F64:
    """Return the weights of ages (N,) in timestamp units: 1 now, a half after ``half_life_days``; the future is now."""
    if half_life_days <= 0 or not np.isfinite(day):
        return np.ones(len(ages))
    return np.asarray(np.exp2(np.maximum(ages, 0) * (-1.0 / (half_life_days * day))))


def tastes(query: Query, n_items: int, config: TasteConfig, day: float) -> Iterator[Taste]:
    """Yield the taste of each person; items at or beyond ``n_items`` and events without weight are left out."""
    bounds = query.history.offsets.tolist()
    for person, (start, end) in enumerate(pairwise(bounds)):
        yield _taste(query, person, slice(start, end), n_items, config, day)


def taste_of(query: Query, person: int, n_items: int, config: TasteConfig, day: float) -> Taste:
    """Return the taste of one person of the batch, as :func:`tastes` does."""
    start, end = query.history.offsets[person : person + 2].tolist()
    return _taste(query, person, slice(start, end), n_items, config, day)


def taste_key(config: TasteConfig, n_items: int, day: float) -> object:
    """Return what a taste depends on besides the question: models with equal keys read a history alike."""
    return config.half_life_days, config.repeats, config.max_events, config.fade, n_items, day


def _taste(query: Query, person: int, own: slice, n_items: int, config: TasteConfig, day: float) -> Taste:
    history = query.history
    keep = _kept(history, person, n_items, config)
    if keep is None:
        keep = own.start + _kept_of_any(history, own, n_items, config)
    rows, weights = history.item_rows[keep], history.weights[keep]
    if config.half_life_days > 0 and len(rows):
        ages = query.now[person] - history.ts[keep]
        weights = (weights * decay(ages, config.half_life_days, day)).astype(np.float32)
    if config.fade < 1 and len(rows):
        weights = (weights * config.fade ** (len(keep) - 1 - keep.argsort().argsort())).astype(np.float32)
    return Taste(rows, weights)


def _kept(history: History, person: int, n_items: int, config: TasteConfig) -> I64 | None:
    """Return the positions of the events that count, from the order that all readers share; None where it is no use."""
    visits = history.visits()
    if config.repeats == "event" or not visits.plain or visits.width > n_items:
        return None
    keep = visits.last(person) if config.repeats == "once" else visits.last_of_session(person)
    begin, end = visits.edges[person], visits.edges[person + 1]
    if 0 < config.max_events < end - begin:
        keep = keep[keep >= visits.positive[end - config.max_events]]
    return keep


def _kept_of_any(history: History, own: slice, n_items: int, config: TasteConfig) -> I64:
    """Return the same positions, counted from the person's first event, of any history."""
    rows, weights = history.item_rows[own], history.weights[own]
    keep = np.flatnonzero((weights > 0) & (rows < n_items) & (rows >= 0))[-config.max_events or None :]
    if config.repeats == "once":
        keep = _last_of_each(rows, keep)
    elif config.repeats == "session":
        keep = _last_of_each(history.session_rows[own].astype(np.int64) * max(n_items, 1) + rows, keep)
    return keep


def _last_of_each(keys: I32 | I64, keep: I64) -> I64:
    """Keep the last of the positions with equal keys."""
    backwards = keep[::-1]
    _, first = np.unique(keys[backwards], return_index=True)
    return backwards[first]


def grounds(kind: str, rows: I32, contributions: F32) -> tuple[Because, ...]:
    """Return what a score rests on: contributions added up by item of the history, the largest magnitude first."""
    items, place = np.unique(rows, return_inverse=True)
    total = np.bincount(place, contributions, len(items)) if len(items) else np.empty(0)
    order = np.argsort(-np.abs(total), kind="stable")
    return tuple(Because(kind, int(items[i]), float(total[i])) for i in order if total[i] != 0)
