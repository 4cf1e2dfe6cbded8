from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.errors import RequestError
from inkling.core.vocabulary import Vocabulary
from inkling.stores.catalog import Catalog
from inkling.stores.filters import parse


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ([], r"is an object, not \[\]"),
        ({}, "one key, 'all' or 'any'; seen: none"),
        ({"all": [], "any": []}, "seen: all, any"),
        ({"alle": []}, "seen: alle"),
        ({"all": {}}, "'all' holds a list of tests"),
        ({"all": [3]}, "is an object, not 3"),
        ({"all": [{"field": "a", "op": "eq"}]}, "a field .text., an op and a value"),
        ({"all": [{"field": 3, "op": "eq", "value": 1}]}, "a field .text., an op and a value"),
        ({"all": [{"field": "a", "op": "eq", "value": 1, "not": True}]}, "a field .text., an op and a value"),
        ({"all": [{"field": "a", "op": "equals", "value": 1}]}, "no filter op 'equals'.*Allowed: contains, eq, gt"),
        ({"all": [{"field": "a", "op": "lte ", "value": 1}]}, "Did you mean 'lte'"),
        ({"all": [{"field": "a", "op": ["eq"], "value": 1}]}, "no filter op"),
        ({"all": [{"field": "a", "op": "in", "value": "red"}]}, "'in' takes a list"),
        ({"all": [{"field": "a", "op": "in", "value": [[1]]}]}, r"cannot take \[1\]"),
        ({"all": [{"field": "a", "op": "lt", "value": None}]}, "cannot take None"),
        ({"all": [{"field": "a", "op": "contains", "value": ["x"]}]}, "cannot take"),
        ({"all": [{"field": "a", "op": "eq", "value": {}}]}, "cannot take"),
    ],
)
def test_bad_filters(filter_, said):
    with pytest.raises(RequestError, match=said):
        parse(filter_)


def test_a_filter_has_a_bottom():
    filter_ = {"all": []}
    for _ in range(2000):
        filter_ = {"any": [filter_]}
    with pytest.raises(RequestError, match="nested more than 8 deep"):
        parse(filter_)


scalars = st.one_of(st.integers(-3, 3), st.sampled_from(["red", "Red", "re", "blue", ""]), st.sampled_from([0.5, 2.0]))
values = st.one_of(st.none(), scalars, st.lists(scalars, max_size=3))
leaves = st.one_of(
    st.builds(
        lambda f, o, v: {"field": f, "op": o, "value": v},
        st.sampled_from("ab"),
        st.sampled_from(["eq", "ne"]),
        st.one_of(st.none(), scalars),
    ),
    st.builds(
        lambda f, o, v: {"field": f, "op": o, "value": v},
        st.sampled_from("ab"),
        st.sampled_from(["lt", "lte", "gt", "gte", "contains"]),
        scalars,
    ),
    st.builds(lambda f, v: {"field": f, "op": "in", "value": v}, st.sampled_from("ab"), st.lists(scalars, max_size=3)),
)
filters = st.recursive(
    leaves,
    lambda part: st.builds(lambda k, p: {k: p}, st.sampled_from(["all", "any"]), st.lists(part, max_size=3)),
    max_leaves=6,
)


def slow(item, filter_):
    """The same rules, one item at a time."""
    if "all" in filter_:
        return all(slow(item, part) for part in filter_["all"])
    if "any" in filter_:
        return any(slow(item, part) for part in filter_["any"])
    has, op, value = item.get(filter_["field"]), filter_["op"], filter_["value"]
    if op == "ne":
        return not slow(item, {**filter_, "op": "eq"})
    if op == "in":
        return any(slow(item, {**filter_, "op": "eq", "value": one}) for one in value)
    if op == "eq":
        return value in has if isinstance(has, list) and value is not None else has == value
    if op == "contains":
        if isinstance(has, list):
            return value in has
        return isinstance(has, str) and isinstance(value, str) and value.casefold() in has.casefold()
    if has is None or isinstance(has, list) or isinstance(has, str) != isinstance(value, str):
        return False
    return {"lt": has < value, "lte": has <= value, "gt": has > value, "gte": has >= value}[op]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": values, "b": values}), min_size=1, max_size=8), filters, st.data())
def test_masks_equal_the_slow_way(items, filter_, data):
    catalog = Catalog(Vocabulary())
    catalog.put({"item_id": str(i), **item} for i, item in enumerate(items))
    catalog.put([{"item_id": "z", "a": 1, "b": 1}])
    catalog.mask(filter_)
    changed = data.draw(st.integers(0, len(items) - 1))
    items[changed] = {"a": data.draw(values), "b": data.draw(values)}
    catalog.put([{"item_id": str(changed), **items[changed]}])
    expected = [slow(item, filter_) for item in [*items, {"a": 1, "b": 1}]]
    np.testing.assert_array_equal(catalog.mask(filter_), expected)
