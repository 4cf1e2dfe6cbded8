"""Members that read: who has something to read, and which items are new."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from inkling.engine.members import MEMBERS, carried, is_costly, new_share
from inkling.testing.worlds import Happening, catalogue, dataset

READERS = {name: MEMBERS[name] for name in ("aspect", "aligned")}


def world(*, late=0, time="real"):
    """A hundred days with one event each; in the last ten, so many are of items that come with them."""
    taken = [Happening(day % 7, day % 5, day) for day in range(90)]
    taken += [Happening(day % 7, day if day - 90 < late else day % 5, day) for day in range(90, 100)]
    data = dataset(taken, shape=(7, 100), texts=[f"thing {n}" for n in range(100)])
    return replace(data, scenario=msgspec.structs.replace(data.scenario, time=time))


def spoken(data, n):
    texts = np.array(["the price is great"] * n + [None] * (len(data.interactions) - n), dtype=object)
    return replace(data, interactions=replace(data.interactions, texts=texts))


@pytest.mark.parametrize(("late", "share"), [(0, 0.0), (5, 0.5), (10, 1.0)])
def test_the_share_of_new_items(late, share):
    assert new_share(world(late=late)) == pytest.approx(share, abs=0.06)


def test_nothing_happened_yet():
    data = dataset([], shape=(2, 2))
    assert new_share(data) == 0.0


def test_aligned_needs_texts_times_and_new_items():
    assert "aligned" in carried(READERS, world(late=5), seconds=9).members
    few = carried(READERS, world(late=0), seconds=9).left_out["aligned"]
    assert few == "0.0% of the newest events are of new items, it begins at 3%"
    timeless = world(late=5, time="order")
    assert "which items are new" in carried(READERS, timeless, seconds=9).left_out["aligned"]
    silent = world(late=5)
    silent = replace(silent, items=catalogue(silent.item_ids))
    assert carried(READERS, silent, seconds=9).left_out["aligned"] == "the items have no texts"


def test_aspect_needs_words(monkeypatch):
    data = world()
    assert carried(READERS, data, seconds=9).left_out["aspect"] == "0 events come with words, it begins at 200"
    monkeypatch.setattr("inkling.engine.members.LEAST_REVIEWS", 50)
    assert "aspect" in carried(READERS, spoken(data, 50), seconds=9).members


def test_what_each_answer_pays_for_has_to_bring_more():
    assert is_costly(MEMBERS["aligned"])
    assert is_costly(MEMBERS["sequence"])
    assert not is_costly(MEMBERS["aspect"])
