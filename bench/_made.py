"""Data sets that are made up, of any size, straight as arrays: popular and rare items, busy and quiet people, tastes.

Each person likes a few kinds of items. Most events are of those kinds, the others of any; within a kind, and over all,
items are drawn by their popularity, which falls off as in shops. Times lie between a person's first day and the end.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from inkling.core.arrays import F32, F64, I32, I64
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary
from inkling.protocol.fold import Fold, Group

N_TASTES = 3
OF_TASTE = 0.75
ITEMS_OF_A_KIND = 100
LONGEST = 2000
N_CENTRES, POINT_SPREAD = 2000, 0.5
SPREAD = 1.1
DAYS = 365
SECOND_MS = 1000
START_MS = 1_700_000_000_000
CHUNK = 4_000_000


def made(n_users: int, n_items: int, n_events: int, *, seed: int = 0) -> Dataset:
    """Return about ``n_events`` events of ``n_users`` people with ``n_items`` items, sorted by time."""
    rng = np.random.default_rng(seed)
    lengths = _lengths(n_users, n_events, rng)
    user_rows = np.repeat(np.arange(n_users, dtype=np.int32), lengths)
    item_rows = _items(user_rows, n_users, n_items, rng)
    ts = _times(user_rows, n_users, rng)
    order = np.argsort(ts, kind="stable")
    user_rows, item_rows, ts = user_rows[order], item_rows[order], ts[order]
    del order
    n = len(ts)
    interactions = Interactions(
        user_rows=user_rows,
        item_rows=item_rows,
        ts=ts,
        weights=np.ones(n, dtype=np.float32),
        positive=np.ones(n, dtype=np.bool_),
        events=np.zeros(n, dtype=np.int16),
        values=np.full(n, np.nan, dtype=np.float32),
        session_rows=np.full(n, -1, dtype=np.int32),
        event_names=("interaction",),
    )
    item_ids = Vocabulary(f"i{row}" for row in range(n_items))
    return Dataset(
        interactions=interactions,
        user_ids=Vocabulary(f"u{row}" for row in range(n_users)),
        item_ids=item_ids,
        scenario=Scenario(seen="drop"),
        items=Items(pl.DataFrame({"item_id": item_ids.ids()})),
        known_items=np.ones(n_items, dtype=np.bool_),
        until=int(ts[-1]),
    )


def _lengths(n_users: int, n_events: int, rng: np.random.Generator) -> I64:
    raw = rng.lognormal(0.0, SPREAD, n_users)
    return np.clip(np.rint(raw * (n_events / raw.sum())), 2, LONGEST).astype(np.int64)


def _items(user_rows: I32, n_users: int, n_items: int, rng: np.random.Generator) -> I32:
    """Draw each event's item: kinds are runs of rows, drawn from by popularity within the run."""
    n_kinds = max(n_items // ITEMS_OF_A_KIND, 1)
    edges = np.linspace(0, n_items, n_kinds + 1).astype(np.int64)
    mass = np.concatenate([[0.0], np.cumsum(_popularity(n_items, rng))])
    kinds = np.searchsorted(mass[edges[1:]], rng.random((n_users, N_TASTES)) * mass[-1], side="right")
    kinds = np.minimum(kinds, n_kinds - 1).astype(np.int32)
    out = np.empty(len(user_rows), dtype=np.int32)
    for start in range(0, len(user_rows), CHUNK):
        people = user_rows[start : start + CHUNK]
        kind = kinds[people, rng.integers(0, N_TASTES, len(people), dtype=np.int8)]
        low, high = mass[edges[kind]], mass[edges[kind + 1]]
        anywhere = rng.random(len(people)) >= OF_TASTE
        low[anywhere], high[anywhere] = 0.0, mass[-1]
        drawn = np.searchsorted(mass, low + rng.random(len(people)) * (high - low), side="right") - 1
        out[start : start + CHUNK] = np.clip(drawn, 0, n_items - 1)
    return out


def _popularity(n_items: int, rng: np.random.Generator) -> F64:
    shares = 1.0 / (np.arange(n_items) + 10.0) ** 0.9
    return rng.permutation(shares / shares.sum())


def _times(user_rows: I32, n_users: int, rng: np.random.Generator) -> I64:
    span = DAYS * 86_400
    first = (span * 0.9 * rng.random(n_users)).astype(np.float32)
    seconds = rng.random(len(user_rows), dtype=np.float32)
    seconds *= span - first[user_rows]
    seconds += first[user_rows]
    return START_MS + seconds.astype(np.int64) * SECOND_MS


def last_of(data: Dataset, n_people: int, *, seed: int = 0) -> Fold:
    """Return a measurement: some people's last event is taken out and asked for, what they had before is dropped."""
    events = data.interactions
    chosen = np.sort(np.random.default_rng(seed).permutation(data.n_users)[:n_people]).astype(np.int32)
    last = np.full(data.n_users, -1, dtype=np.int64)
    last[events.user_rows] = np.arange(len(events))
    held = last[chosen]
    mask = np.ones(len(events), dtype=np.bool_)
    mask[held] = False
    train = replace(data, interactions=events.select(mask))
    had = train.interactions.histories(chosen)
    new = [
        int(item) not in had.item_rows[had.offsets[i] : had.offsets[i + 1]]
        for i, item in enumerate(events.item_rows[held])
    ]
    people = chosen[new]
    targets = Jagged.from_lists([[int(item)] for item in events.item_rows[held][new]])
    return Fold(
        name="last",
        train=train,
        user_rows=people,
        history=train.interactions,
        targets=targets,
        groups={"warm": Group(np.arange(len(people)), targets)},
        candidates=data.known_items,
        now=np.full(len(people), data.until, dtype=np.int64),
        cut=data.until,
        seen="drop",
    )


def points(n: int, dim: int, kind: str, *, seed: int = 0, world: int = 0) -> F32:
    """Return unit vectors (n, dim).

    Args:
        n: How many.
        dim: Numbers in each.
        kind: "clustered": around two thousand centres, most of them around few. "unclustered": one cloud, whose
            directions matter less and less, as in factor models. "sphere": anywhere, which no data are.
        seed: Of the points.
        world: Of the centres: points of the same world belong together.
    """
    rng = np.random.default_rng((seed, 1))
    out = rng.standard_normal((n, dim), dtype=np.float32)
    if kind == "clustered":
        centres = np.random.default_rng((world, 2)).standard_normal((N_CENTRES, dim), dtype=np.float32)
        mass = 1.0 / (np.arange(N_CENTRES) + 20.0)
        own = np.searchsorted(np.cumsum(mass / mass.sum()), rng.random(n), side="right").clip(0, N_CENTRES - 1)
        out *= np.float32(POINT_SPREAD)
        out += centres[own]
    elif kind == "unclustered":
        out *= (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out
