"""Filters of a request: ``{"all": [{"field", "op", "value"}, ...]}``, ``any`` likewise, nested as one likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.errors import RequestError, nearest

OPS = frozenset({"eq", "ne", "in", "lt", "lte", "gt", "gte", "contains"})
_ORDERED = frozenset({"lt", "lte", "gt", "gte"})
_DEEPEST = 8
_SHAPE = 'Write {"all": [{"field": "price", "op": "lt", "value": 10}]}, or "any" for "all".'


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one field."""

    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Group:
    """Several tests of which all or any must hold. All of nothing holds; any of nothing does not."""

    kind: Literal["all", "any"]
    parts: tuple[Node, ...]


Node: TypeAlias = Test | Group


def parse(filter_: Any, *, depth: int = 0) -> Node:
    """Return a checked filter.

    Raises:
        RequestError: It is not of the documented form.
    """
    if not isinstance(filter_, Mapping):
        raise RequestError(f"A filter is an object, not {filter_!r}.", hint=_SHAPE)
    if depth > _DEEPEST:
        raise RequestError(f"The filter is nested more than {_DEEPEST} deep.", hint="Flatten it.")
    if "field" in filter_:
        return _parse_test(filter_)
    keys = sorted(map(str, filter_))
    if keys not in (["all"], ["any"]):
        raise RequestError(f"A filter has one key, 'all' or 'any'; seen: {', '.join(keys) or 'none'}.", hint=_SHAPE)
    parts = filter_[keys[0]]
    if not isinstance(parts, (list, tuple)):
        raise RequestError(f"'{keys[0]}' holds a list of tests, not {parts!r}.", hint=_SHAPE)
    return Group("all" if keys[0] == "all" else "any", tuple(parse(part, depth=depth + 1) for part in parts))


def _parse_test(test: Mapping[str, Any]) -> Test:
    unknown = set(test) - {"field", "op", "value"}
    if unknown or "op" not in test or "value" not in test or not isinstance(test["field"], str):
        raise RequestError(f"A test has a field (text), an op and a value; seen: {dict(test)!r}.", hint=_SHAPE)
    op, value = test["op"], test["value"]
    if not isinstance(op, str) or op not in OPS:
        raise RequestError(f"There is no filter op {op!r}.", hint=nearest(str(op), OPS))
    scalars = value if op == "in" and isinstance(value, (list, tuple)) else (value,)
    if op == "in" and scalars is not value:
        raise RequestError(f"'in' takes a list of values, not {value!r}.", hint='Use "eq" for one value.')
    allowed = (int, float, str) if op in _ORDERED or op == "contains" else (int, float, str, type(None))
    for scalar in scalars:
        if not isinstance(scalar, allowed):
            raise RequestError(f"'{op}' on '{test['field']}' cannot take {scalar!r}.", hint="Write a number or a text.")
    return Test(test["field"], op, value)


def evaluate(node: Node, test: Callable[[Test], Bool], n_items: int) -> Bool:
    """Return the mask (n_items,) of a filter, given the mask of each of its tests."""
    if isinstance(node, Test):
        return test(node)
    mask = np.full(n_items, node.kind == "all", dtype=np.bool_)
    join = np.logical_and if node.kind == "all" else np.logical_or
    for part in node.parts:
        join(mask, evaluate(part, test, n_items), out=mask)
    return mask
