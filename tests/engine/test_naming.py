from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from inkling.core.tables import Items
from inkling.engine.naming import named_in, titles_of
from inkling.testing.worlds import Happening, dataset

FILMS = ["Fargo (1996)", "Heat (1995)", "Godfather, The (1972)", "Heat (1986)", "Up"]
TITLES = [*FILMS, "red mug", "卧虎藏龙", "mug", None]


@pytest.fixture(scope="module")
def titles():
    """All were taken by nine people, but for the film of 1986."""
    taken = [Happening(n, item, n) for n in range(9) for item in range(9) if item != 3 or n < 2]
    data = dataset(taken, shape=(9, 9))
    frame = pl.DataFrame({"item_id": data.item_ids.ids(), "title": TITLES})
    return titles_of(replace(data, items=Items(frame).aligned(data.item_ids)))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Likes Crime, such as Fargo (1996) and Heat, dislikes Horror.", [0, 1]),
        ("I love the Godfather, The (1972) and heat in summer", [2]),
        ("give me a RED MUG, or another mug", [5]),
        ("Heat (1986) only", [3]),
        ("going Up", []),
        ("我喜欢《卧虎藏龙》这样的电影", [6]),
        ("卧虎藏龙很好看", [6]),
        ("", []),
    ],
)
def test_titles_are_found_as_people_write_them(titles, text, rows):
    assert named_in(text, titles) == rows
