"""Tables by external id."""

from __future__ import annotations

import polars as pl

from inkling.core.tables import Events, Items, Links, People, item_text
from inkling.core.vocabulary import Vocabulary


def test_aligned_tables_have_a_row_for_each_id_in_its_order():
    ids = Vocabulary(["b", "none", "a"])
    items = Items(pl.DataFrame({"item_id": ["a", "b", "other"], "title": ["A", "B", "C"]})).aligned(ids)
    assert items.frame.rows() == [("b", "B"), ("none", None), ("a", "A")]
    people = People(pl.DataFrame({"user_id": ["a"], "about": ["tea"]})).aligned(ids)
    assert people.frame.rows() == [("b", None), ("none", None), ("a", "tea")]


def test_what_a_language_model_reads_of_an_item():
    assert item_text(["red mug", ["kitchen", "gift"], None]) == "red mug. kitchen, gift"
    assert item_text([None, "", None]) == ""
    frame = pl.DataFrame({"item_id": ["1", "2"], "description": ["holds tea", None], "title": ["mug", "pot"]})
    assert Items(frame).texts() == ["mug. holds tea", "pot"]
    assert Items(frame.select("item_id")).texts() == ["", ""]


def test_sizes_and_contexts():
    frame = pl.DataFrame({"user_id": ["a"], "context.country": ["FR"], "context.device": [None]})
    assert Events(frame).context_names == ["country", "device"]
    assert [len(kind(frame)) for kind in (Events, Items, People, Links)] == [1, 1, 1, 1]
