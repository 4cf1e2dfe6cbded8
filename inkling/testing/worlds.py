"""Toy worlds whose answer is known, because they were built from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from inkling.core.arrays import I32
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.scenario import Scenario
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000


class Happening(NamedTuple):
    """One event of a toy world, in rows and days."""

    user: int
    item: int
    day: float
    session: int = -1
    weight: float = 1.0
    value: float = float("nan")


@dataclass(frozen=True)
class World:
    """A data set, a question, and for each person asked about the item row that must come first."""

    data: Dataset
    query: Query
    first: I32  # (B,)


def dataset(
    happenings: Sequence[Happening],
    *,
    shape: tuple[int, int],
    texts: Sequence[str] = (),
    countries: Mapping[int, str] | None = None,
    scenario: Scenario | None = None,
) -> Dataset:
    """Return a data set of ``shape`` (people, items) named u0, u1, ... and i0, i1, ...

    Args:
        happenings: Events in any order.
        shape: Number of people and items.
        texts: Titles of the items.
        countries: Person -> country; becomes the context key "country".
        scenario: Default: a general one where people may have things again.
    """
    events = sorted(happenings, key=lambda event: event.day)
    n_users, n_items = shape
    names = tuple(sorted(set((countries or {}).values())))
    codes = [names.index(countries[e.user]) if countries and e.user in countries else -1 for e in events]
    interactions = Interactions(
        user_rows=np.array([e.user for e in events], dtype=np.int32),
        item_rows=np.array([e.item for e in events], dtype=np.int32),
        ts=np.array([START_MS + round(e.day * DAY_MS) for e in events], dtype=np.int64),
        weights=np.array([e.weight for e in events], dtype=np.float32),
        positive=np.array([e.weight > 0 for e in events], dtype=np.bool_),
        events=np.zeros(len(events), dtype=np.int16),
        values=np.array([e.value for e in events], dtype=np.float32),
        session_rows=np.array([e.session for e in events], dtype=np.int32),
        event_names=("interaction",),
        context={"country": np.array(codes, dtype=np.int32)} if countries else {},
        context_values={"country": names} if countries else {},
    )
    item_ids = Vocabulary(f"i{row}" for row in range(n_items))
    return Dataset(
        interactions=interactions,
        user_ids=Vocabulary(f"u{row}" for row in range(n_users)),
        item_ids=item_ids,
        scenario=scenario or Scenario(seen="keep"),
        items=catalogue(item_ids, texts),
        known_items=np.ones(n_items, dtype=np.bool_),
        until=int(interactions.ts[-1]) if events else START_MS,
    )


def catalogue(item_ids: Vocabulary, texts: Sequence[str] = ()) -> Items:
    """Return a catalogue with these titles, or without any."""
    import polars as pl

    titles = list(texts) or [""] * len(item_ids)
    return Items(pl.DataFrame({"item_id": item_ids.ids(), "title": titles}, schema={"item_id": str, "title": str}))


def _world(data: Dataset, people: Sequence[int], first: Sequence[int]) -> World:
    return World(data, data.query(np.array(people, dtype=np.int32)), np.array(first, dtype=np.int32))


def checkerboard(n: int = 20) -> World:
    """Even people have all even items, odd people all odd ones, but for the diagonal: it must come first.

    The question takes out what each person has. The world of ``implicit``'s tests.
    """
    happenings = [Happening(u, i, u) for u in range(n) for i in range(n) if (u + i) % 2 == 0 and u != i]
    world = _world(dataset(happenings, shape=(n, n)), range(n), range(n))
    return replace(world, query=without_history(world.query))


def chain(n: int = 12, *, n_walks: int = 30, seed: int = 0) -> World:
    """Everyone walks along the items 0, 1, 2, ... from anywhere, one a day: the next item must come first."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, n, n_walks).tolist()
    happenings = [
        Happening(u, (start + step) % n, u + step, session=u * 8 + step)
        for u, start in enumerate(starts)
        for step in range(6)
    ]
    return _world(dataset(happenings, shape=(n_walks, n)), range(n_walks), [(start + 6) % n for start in starts])


def loyal(n: int = 10) -> World:
    """Person u buys item u every week, and once, lately, something that everyone buys: item u must come first."""
    weekly = [Happening(u, u, week * 7, session=u * 100 + week) for u in range(n) for week in range(8)]
    fashion = [Happening(u, n, 50, session=u * 100 + 99) for u in range(n)]
    return _world(dataset(weekly + fashion, shape=(n, n + 1)), range(n), range(n))


def two_tastes() -> World:
    """Four items are about cats, four about cars; each person has all but one of a kind, which must come first."""
    cats = [f"cat {word} for your cat" for word in ("food", "toy", "bed", "brush")]
    cars = [f"car {word} for your car" for word in ("tyre", "wax", "lamp", "mirror")]
    happenings = [Happening(0, i, i) for i in (0, 1, 2)] + [Happening(1, i, i) for i in (4, 5, 6)]
    world = _world(dataset(happenings, shape=(2, 8), texts=cats + cars), [0, 1], [3, 7])
    return replace(world, query=without_history(world.query))


def trend() -> World:
    """Item 0 was taken by forty people long ago, item 1 by ten this week: now item 1 comes first."""
    old = [Happening(u, 0, u % 20) for u in range(40)]
    new = [Happening(40 + u, 1, 100 + u / 10) for u in range(10)]
    return _world(dataset(old + new, shape=(50, 3)), [0], [1])


def countries() -> World:
    """France takes item 0, Spain item 1, and most of all, everywhere, item 2 is not: each country's own comes first."""
    french = [Happening(u, 0, 1 + u / 100) for u in range(30)]
    spanish = [Happening(30 + u, 1, 1 + u / 100) for u in range(20)]
    where = {u: "France" if u < 30 else "Spain" for u in range(50)}
    data = dataset([*french, *spanish, Happening(0, 2, 0)], shape=(50, 3), countries=where)
    world = _world(data, [0, 30], [0, 1])
    return replace(world, query=replace(world.query, context={"country": ("France", "Spain")}))


def shop(*, n_users: int = 40, n_items: int = 30, n_events: int = 600, seed: int = 0) -> Dataset:
    """Return a small shop without a plan: baskets, buying again, popular items, titles, two countries, weights."""
    rng = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, n_items + 1)
    items = rng.choice(n_items, n_events, p=popularity / popularity.sum()).tolist()
    people = rng.integers(0, n_users, n_events).tolist()
    days = (rng.integers(0, 60, n_events) + np.round(rng.random(n_events), 3)).tolist()
    weights = rng.choice([1.0, 1.0, 0.5, 0.0], n_events).tolist()
    happenings = [
        Happening(user, item, day, session=user * 60 + int(day), weight=weight, value=1.0 + item % 3)
        for user, item, day, weight in zip(people, items, days, weights, strict=True)
    ]
    words = ("red", "blue", "mug", "lamp", "box")
    texts = [f"{words[row % 5]} {words[(row * 3 + 1) % 5]} number {row}" for row in range(n_items)]
    where = {user: "France" if user % 3 else "Spain" for user in range(n_users)}
    return dataset(happenings, shape=(n_users, n_items), texts=texts, countries=where)


def without_history(query: Query) -> Query:
    """Return the same question with each person's history taken out of the answer."""
    from inkling.core.jagged import Jagged

    return replace(query, exclude=Jagged(query.history.offsets, query.history.item_rows))
