"""One field of all items in a form that a filter reads in microseconds."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from inkling.core.arrays import F64, Bool
from inkling.stores.filters import Test

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


class Column:
    """Values of one field by item row: numbers in an array, texts and list elements as value -> rows.

    ``eq`` and ``in`` on a list hold where one element does; ``contains`` is an element of a list or a part of a text,
    capitals apart. A missing value equals null and differs from everything else.
    """

    def __init__(self) -> None:
        self._numbers: F64 = np.empty(0)
        self._present: Bool = np.empty(0, dtype=np.bool_)
        self._texts: defaultdict[str, set[int]] = defaultdict(set)
        self._elements: defaultdict[Any, set[int]] = defaultdict(set)

    def replace(self, row: int, old: Any, new: Any) -> None:
        """Put ``new`` where ``old`` was; None is missing."""
        self._grow(row + 1)
        self._numbers[row], self._present[row] = np.nan, new is not None
        for table, key in _keys(old):
            self._table(table)[key].discard(row)
            if not self._table(table)[key]:
                del self._table(table)[key]
        for table, key in _keys(new):
            self._table(table)[key].add(row)
        if isinstance(new, (bool, int, float)):
            self._numbers[row] = float(new)

    def _table(self, name: str) -> defaultdict[Any, set[int]]:
        return self._texts if name == "text" else self._elements

    def _grow(self, n: int) -> None:
        if n > len(self._numbers):
            more = max(n, 2 * len(self._numbers)) - len(self._numbers)
            self._numbers = np.concatenate([self._numbers, np.full(more, np.nan)])
            self._present = np.concatenate([self._present, np.zeros(more, dtype=np.bool_)])

    def mask(self, test: Test, n_items: int) -> Bool:
        """Return (n_items,) whether each item passes."""
        self._grow(n_items)
        if test.op == "ne":
            return ~self._equal(test.value, n_items)
        if test.op == "eq":
            return self._equal(test.value, n_items)
        if test.op == "in":
            masks = (self._equal(value, n_items) for value in test.value)
            mask = np.zeros(n_items, dtype=np.bool_)
            for equal in masks:
                mask |= equal
            return mask
        if test.op == "contains":
            return self._contains(test.value, n_items)
        return self._compare(_COMPARE[test.op], test.value, n_items)

    def _equal(self, value: Any, n_items: int) -> Bool:
        if value is None:
            return ~self._present[:n_items]
        mask = _mask((self._elements.get(value, set()),), n_items)
        if isinstance(value, str):
            return mask | _mask((self._texts.get(value, set()),), n_items)
        same: Bool = self._numbers[:n_items] == float(value)
        return mask | same

    def _contains(self, value: Any, n_items: int) -> Bool:
        mask = _mask((self._elements.get(value, set()),), n_items)
        if not isinstance(value, str):
            return mask
        part = value.casefold()
        mask |= _mask((rows for one, rows in self._elements.items() if _same(one, part)), n_items)
        return mask | _mask((rows for text, rows in self._texts.items() if part in text.casefold()), n_items)

    def _compare(self, compare: Callable[[Any, Any], Any], value: Any, n_items: int) -> Bool:
        if not isinstance(value, str):
            with np.errstate(invalid="ignore"):
                found: Bool = compare(self._numbers[:n_items], float(value))
            return found
        return _mask((rows for text, rows in self._texts.items() if compare(text, value)), n_items)


def _same(element: Any, folded: str) -> bool:
    return isinstance(element, str) and element.casefold() == folded


def _keys(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, str):
        return [("text", value)]
    if isinstance(value, (list, tuple)):
        return [("element", part) for part in dict.fromkeys(p for p in value if isinstance(p, (str, int, float)))]
    return []


def _mask(groups: Iterable[set[int]], n_items: int) -> Bool:
    mask = np.zeros(n_items, dtype=np.bool_)
    for rows in groups:
        at = np.fromiter(rows, dtype=np.int64, count=len(rows))
        mask[at[at < n_items]] = True
    return mask
