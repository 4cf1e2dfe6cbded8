from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from inkling.core.errors import RequestError
from inkling.core.vocabulary import Vocabulary
from inkling.stores.base import Changes
from inkling.stores.catalog import Catalog

ROWS = (
    {"item_id": "1", "title": "Red mug", "price": 5, "categories": ["kitchen", "red"], "stock": True},
    {"item_id": "2", "title": "Blue Mug", "price": 9.5, "categories": "kitchen|blue", "brand": "acme"},
    {"item_id": "3", "title": "Große Kanne", "price": None, "brand": "zeta"},
)


@pytest.fixture
def catalog():
    table = Catalog(Vocabulary())
    table.put(ROWS)
    return table


def passing(catalog, filter_):
    return [str(i + 1) for i in np.flatnonzero(catalog.mask(filter_))]


def test_put_get_and_the_copy_is_the_callers(catalog):
    known = catalog.get(1)
    assert known == {
        "item_id": "2",
        "title": "Blue Mug",
        "price": 9.5,
        "categories": ["kitchen", "blue"],
        "brand": "acme",
    }
    known["title"] = "x"
    assert catalog.get(1)["title"] == "Blue Mug"
    assert (catalog.get(77), catalog.get(-1)) == (None, None)
    assert [row["item_id"] for row in catalog.rows()] == ["1", "2", "3"]


def test_put_replaces_and_patch_changes(catalog):
    catalog.patch([{"item_id": "1", "price": 6, "stock": None}])
    assert catalog.get(0) == {"item_id": "1", "title": "Red mug", "price": 6, "categories": ["kitchen", "red"]}
    catalog.put([{"item_id": "1", "title": "Cup"}])
    assert catalog.get(0) == {"item_id": "1", "title": "Cup"}
    catalog.patch([{"item_id": "new", "title": "New"}])
    assert catalog.get(3) == {"item_id": "new", "title": "New"}


def test_a_deleted_item_stays_away_until_it_is_put_again(catalog):
    assert catalog.delete(["2", "ghost"]) == 1
    assert catalog.delete(["2"]) == 0
    catalog.apply(Changes("events", ({"item_id": "2", "user_id": "ann"},), 9))
    assert (catalog.exists(1), catalog.get(1)) == (False, None)
    assert catalog.available(3).tolist() == [True, False, True]
    assert passing(catalog, {"all": [{"field": "brand", "op": "eq", "value": "acme"}]}) == []
    catalog.put([ROWS[1]])
    assert catalog.available(3).all()


def test_items_named_by_events_exist(catalog):
    assert catalog.available(5).tolist() == [True, True, True, False, False]
    catalog.apply(Changes("events", ({"item_id": "9", "user_id": "ann"}, {"user_id": "ann", "text": "hi"}), 2))
    assert catalog.available(5).tolist() == [True, True, True, True, False]
    assert catalog.exists(3)
    assert catalog.find("9") == [{"item_id": "9"}]


def test_hidden_items_are_not_answered(catalog):
    catalog.patch([{"item_id": "1", "hidden": True}])
    assert catalog.available(3).tolist() == [False, True, True]
    assert catalog.exists(0)
    catalog.patch([{"item_id": "1", "hidden": False}])
    assert catalog.available(3).all()


@pytest.mark.parametrize(
    "created", [2_000_000_000, 2_000_000_000_000, "2033-05-18T03:33:20Z", "2033-05-18 05:33:20+02:00"]
)
def test_items_of_the_future_come_in_their_time(created):
    clock = [1.0]
    catalog = Catalog(Vocabulary(), clock=lambda: clock[0])
    catalog.put([{"item_id": "old"}, {"item_id": "new", "created_at": created}])
    seen = [catalog.available(2, now_ms=ms).tolist()[1] for ms in (0, 2 * 10**12 - 1, 2 * 10**12, 3 * 10**12, 5)]
    assert seen == [False, False, True, True, False]
    assert catalog.available(2).tolist() == [True, False]
    clock[0] = 2.1e9
    assert catalog.available(2).tolist() == [True, True]


def test_a_time_that_cannot_be_read_does_not_stop_the_view():
    catalog = Catalog(Vocabulary())
    catalog.put([{"item_id": "1", "created_at": "soon"}])
    assert catalog.available(1).tolist() == [True]


def test_answers_are_kept_until_something_changes(catalog):
    first, mask = catalog.available(3), catalog.mask({"all": []})
    assert catalog.available(3) is first
    assert catalog.mask({"all": []}) is mask
    catalog.put([{"item_id": "4"}])
    assert catalog.available(4).tolist() == [True] * 4
    assert len(catalog.mask({"all": []})) == 4
    with pytest.raises(ValueError, match="read-only"):
        first[0] = False


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (("price", "lt", 9.5), "1"),
        (("price", "lte", 9.5), "12"),
        (("price", "gt", 5), "2"),
        (("price", "gte", 5), "12"),
        (("price", "eq", 5), "1"),
        (("price", "ne", 5), "23"),
        (("price", "in", [5, 9.5, 7]), "12"),
        (("price", "eq", None), "3"),
        (("price", "ne", None), "12"),
        (("price", "lt", "a"), ""),
        (("brand", "eq", "acme"), "2"),
        (("brand", "ne", "acme"), "13"),
        (("brand", "in", ["acme", "zeta"]), "23"),
        (("brand", "in", []), ""),
        (("brand", "gt", "b"), "3"),
        (("brand", "contains", "CM"), "2"),
        (("brand", "eq", 5), ""),
        (("title", "contains", "mug"), "12"),
        (("title", "contains", "GROSSE"), "3"),
        (("title", "contains", 5), ""),
        (("categories", "contains", "kitchen"), "12"),
        (("categories", "contains", "kit"), ""),
        (("categories", "eq", "red"), "1"),
        (("categories", "ne", "red"), "23"),
        (("categories", "in", ["red", "blue"]), "12"),
        (("stock", "eq", True), "1"),
        (("item_id", "in", ["3", "1"]), "13"),
    ],
)
def test_filters(catalog, test, expected):
    leaf = dict(zip(("field", "op", "value"), test, strict=True))
    assert "".join(passing(catalog, {"all": [leaf]})) == expected
    assert "".join(passing(catalog, leaf)) == expected
    catalog.put([{"item_id": "5", "title": "x", "price": 1}])
    catalog.delete(["5"])
    missing = test[1] == "ne" or test == ("price", "eq", None)
    expected_after = [
        *expected,
        *("4" if missing and test[2] is not None else ""),
        *("4" if test == ("price", "eq", None) else ""),
    ]
    assert passing(catalog, {"any": [leaf]}) == expected_after


def test_groups_nest(catalog):
    cheap, blue = {"field": "price", "op": "lt", "value": 6}, {"field": "categories", "op": "contains", "value": "blue"}
    mug = {"field": "title", "op": "contains", "value": "mug"}
    assert passing(catalog, {"any": [cheap, blue]}) == ["1", "2"]
    assert passing(catalog, {"all": [mug, {"any": [blue]}]}) == ["2"]
    assert passing(catalog, {"all": [cheap, blue]}) == []
    assert passing(catalog, {"any": []}) == []
    assert passing(catalog, {"all": []}) == ["1", "2", "3"]


def test_filters_follow_changes(catalog):
    red = {"all": [{"field": "categories", "op": "contains", "value": "red"}]}
    assert passing(catalog, red) == ["1"]
    catalog.patch([{"item_id": "3", "categories": ["red"]}, {"item_id": "1", "categories": None}])
    assert passing(catalog, red) == ["3"]
    assert catalog.mask(red, n_items=2).tolist() == [False, False]
    assert catalog.mask(red, n_items=6).tolist() == [False, False, True, False, False, False]


def test_a_field_that_no_item_has(catalog):
    with pytest.raises(RequestError, match=r"No item has a field 'prize'. Did you mean 'price'"):
        catalog.mask({"all": [{"field": "prize", "op": "lt", "value": 6}]})
    catalog.delete(["1", "2", "3"])
    assert passing(catalog, {"all": [{"field": "price", "op": "lt", "value": 6}]}) == []


def test_a_filter_that_is_no_data(catalog):
    with pytest.raises(RequestError, match="no plain data"):
        catalog.mask({"all": [{"field": "price", "op": "lt", "value": object()}]})


def test_find(catalog):
    assert [row["item_id"] for row in catalog.find("mug")] == ["1", "2"]
    assert [row["item_id"] for row in catalog.find("BLUE")] == ["2"]
    assert [row["item_id"] for row in catalog.find("3")] == ["3"]
    assert [row["item_id"] for row in catalog.find("", limit=2)] == ["1", "2"]
    assert catalog.find("nothing") == []
    catalog.put([{"item_id": "4", "title": "Mug tree"}])
    assert [row["item_id"] for row in catalog.find("mug", limit=2)] == ["4", "1"]


def test_blocks_count_once():
    catalog = Catalog(Vocabulary())
    put = Changes("items", ({"item_id": "1", "price": 1},), 1)
    catalog.apply(put)
    catalog.apply(Changes("patch_items", ({"item_id": "1", "price": 2},), 2))
    catalog.apply(put)
    assert (catalog.get(0), catalog.version) == ({"item_id": "1", "price": 2}, 2)
    catalog.apply(Changes("delete_items", ({"item_id": "1"},), 3))
    assert (catalog.exists(0), catalog.version) == (False, 3)
    assert catalog.fields == ["item_id", "price"]


def test_load_a_table_that_is_aligned_with_the_vocabulary():
    catalog = Catalog(Vocabulary())
    rows = [{"item_id": "1", "title": "a"}, {"item_id": "2", "title": None}, {"item_id": "3", "title": None}]
    catalog._ids.add_all(["1", "2", "3"])
    catalog.load(rows, known=np.array([True, True, False]))
    assert catalog.available(3).tolist() == [True, True, False]
    assert (catalog.get(0), catalog.get(1)) == ({"item_id": "1", "title": "a"}, None)


def test_readers_and_a_writer(catalog):
    wrong = []
    filter_ = {"all": [{"field": "lot", "op": "eq", "value": "a"}]}
    catalog.put([{"item_id": f"x{i}", "lot": "a"} for i in range(200)])

    def write():
        for turn in range(60):
            lot = "b" if turn % 2 else "a"
            catalog.put([{"item_id": "x0", "lot": lot}, {"item_id": f"new{turn}", "lot": "a"}])

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        mask = catalog.mask(filter_)
        if not mask[4:203].all() or mask[:3].any():
            wrong.append(mask)
    writer.join()
    assert wrong == []
