"""Toy data with everything that features read: prices, contexts, categories, people, links, several events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Scenario
from inkling.core.tables import Items, Links, People
from inkling.core.vocabulary import Vocabulary

DAY = 86_400_000
START = 1_700_006_400_000  # midnight of a Wednesday, UTC
SCENARIO = Scenario(
    positive={"purchase": 1.0},
    signals={"view": 0.25},
    seen="keep",
    context=("country", "weekday", "hour", "unit_price"),
)
NAMES = ("purchase", "view", "impression")  # not in the order of the alphabet, on purpose: codes follow this order
COUNTRIES = ("ES", "FR")
PRICES = ("2", "4", "free")


def interactions(rows) -> Interactions:
    """Return events from rows of (user, item, day, event=0, country=-1, price=-1, session=-1), sorted by day."""
    full = sorted([(*row, *(0, -1, -1, -1)[len(row) - 3 :]) for row in rows], key=lambda row: row[2])
    columns = list(zip(*full, strict=True)) if full else [()] * 7
    user, item, day, event, country, price, session = (np.array(column) for column in columns)
    strength = np.array([1.0, 0.25, 0.0], dtype=np.float32)
    event = event.astype(np.int16)
    return Interactions(
        user_rows=user.astype(np.int32),
        item_rows=item.astype(np.int32),
        ts=(START + np.round(day.astype(np.float64) * DAY)).astype(np.int64),
        weights=strength[event],
        positive=event == 0,
        events=event,
        values=np.full(len(full), np.nan, dtype=np.float32),
        session_rows=session.astype(np.int32),
        event_names=NAMES,
        context={"country": country.astype(np.int32), "unit_price": price.astype(np.int32)},
        context_values={"country": COUNTRIES, "unit_price": PRICES},
    )


def dataset(rows, *, n_users=4, n_items=6, full=True, scenario=SCENARIO) -> Dataset:
    """Return a data set of these events; ``full`` adds a catalogue, people and links."""
    events = interactions(rows)
    user_ids = Vocabulary(f"u{n}" for n in range(n_users))
    item_ids = Vocabulary(f"i{n}" for n in range(n_items))
    items = {"item_id": item_ids.ids()}
    if full:
        items |= {
            "weight_g": [float(n) if n % 3 else None for n in range(n_items)],
            "price": [9.0] * n_items,
            "categories": [["a"], ["a", "b"], ["b"], None, [], ["c"], *[["a"]] * n_items][:n_items],
        }
    people = pl.DataFrame({"user_id": user_ids.ids(), "sex": ["f", "m", None, *["f"] * n_users][:n_users]})
    pairs = {"user_id": ["u0", "u0", "u1", "none"], "friend_id": ["u1", "u2", "u0", "u0"]}
    links = pl.DataFrame(pairs | {"weight": [3.0, 1.0, None, 1.0]})
    return Dataset(
        interactions=events,
        user_ids=user_ids,
        item_ids=item_ids,
        scenario=scenario,
        items=Items(pl.DataFrame(items)),
        people=People(people) if full else None,
        links=Links(links) if full else None,
        known_items=np.ones(n_items, dtype=np.bool_),
        until=int(events.ts[-1]) if len(events) else START,
    )


def grid(people, items) -> Candidates:
    """Return the same items as candidates for each of ``people`` people."""
    offsets = np.arange(people + 1, dtype=np.int64) * len(items)
    rows = np.tile(np.array(items, dtype=np.int32), people)
    return Candidates.of(offsets, rows, np.zeros(len(rows), dtype=np.float32), source="all")


class Toys:
    """What the tests of this folder build their worlds with."""

    DAY, START, NAMES = DAY, START, NAMES
    interactions = staticmethod(interactions)
    dataset = staticmethod(dataset)
    grid = staticmethod(grid)

    @staticmethod
    def columns(table, data, people, items, *, at=None, **more):
        """Return name -> values of a table or a group's columns, for people and items, asked at day ``at``."""
        now = data.until if at is None else START + round(at * DAY)
        n_items = max(data.n_items, *(item + 1 for item in items))
        query = replace(data.query(np.array(people, dtype=np.int32), now=now), n_items=n_items, **more)
        candidates = grid(len(people), items)
        if hasattr(table, "groups"):
            return dict(table.compute(query, candidates).fields)
        from inkling.features.base import Moment

        with np.errstate(invalid="ignore", divide="ignore"):
            block = table.compute(Moment(query, candidates))
        return dict(zip(table.names(), block, strict=True))


@pytest.fixture(scope="session")
def toys():
    return Toys
