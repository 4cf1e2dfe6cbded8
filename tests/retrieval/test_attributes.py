import polars as pl

from inkling.retrieval._attributes import hashed


def test_words_members_and_tenths_share_a_row():
    frame = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "title": ["Red mug", "mug", None],
            "categories": [["x", "y"], [], None],
            "price": [1.0, 1.0, 99.0],
            "description": ["long", "long", "long"],
        }
    )
    rows = hashed(frame, 10_000)
    counts = (rows > 0).sum(axis=1).tolist()
    assert counts == [5, 2, 1]
    assert set(rows[1][rows[1] > 0]) <= set(rows[0])
    assert rows[2][0] not in set(rows[0])
    assert rows.max() <= 10_000


def test_missing_numbers_say_nothing_and_equal_words_count_once():
    frame = pl.DataFrame({"item_id": ["a", "b"], "price": [None, float("nan")], "title": ["la la", "LA"]})
    rows = hashed(frame, 100)
    assert (rows > 0).sum(axis=1).tolist() == [1, 1]
    assert rows[0, 0] == rows[1, 0]


def test_a_table_without_attributes_is_empty():
    assert not hashed(pl.DataFrame({"item_id": ["a", "b"]}), 10).any()
