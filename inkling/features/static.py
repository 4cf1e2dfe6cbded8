"""What an item is: numeric attributes as they are, and how much of the person's history shares its categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.features.base import Moment

_MAX_CATEGORIES = 5000
_NO_FEATURES = frozenset({"item_id", "price", "created_at"})  # a price or time of unknown date would leak


class Static:
    """Numeric columns of the catalogue by name, and ``category_affinity`` where items have categories."""

    name = "static"

    def __init__(self) -> None:
        """Start with an empty catalogue."""
        self.numeric: dict[str, F32] = {}
        self.starts: I64 = np.zeros(1, dtype=np.int64)
        self.categories: I32 = np.empty(0, dtype=np.int32)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        affinity = ("category_affinity", "category_best") if len(self.categories) else ()
        return tuple(f"item_{name}" for name in self.numeric) + affinity

    def fit(self, data: Dataset) -> Self:
        """Read the catalogue's attributes."""
        frame = data.items.frame
        self.numeric = {
            name: frame[name].cast(_float32(), strict=False).fill_null(float("nan")).to_numpy()
            for name in frame.columns
            if name not in _NO_FEATURES and frame[name].dtype.is_numeric()
        }
        lists = frame["categories"].to_list() if "categories" in frame.columns else [None] * data.n_items
        codes: dict[str, int] = {}
        rows = [[codes.setdefault(str(c), len(codes)) for c in (row or ()) if c is not None] for row in lists]
        if len(codes) > _MAX_CATEGORIES:
            rows = [[c for c in row if c < _MAX_CATEGORIES] for row in rows]
        self.starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        self.categories = np.array([c for row in rows for c in row], dtype=np.int32)
        return self

    def update(self, events: Interactions) -> None:
        """Do nothing: attributes come with the catalogue."""

    def compute(self, moment: Moment) -> F32:
        """Return (n_features, N).

        An affinity is the share of the person's positive events in the item's categories, averaged over the
        categories, and that of the best category.
        """
        rows = moment.items.item_rows
        columns = [_read(values, rows) for values in self.numeric.values()]
        if len(self.categories):
            columns += self._affinity(moment)
        return np.stack(columns) if columns else np.empty((0, len(rows)), dtype=np.float32)

    def _affinity(self, moment: Moment) -> list[F32]:
        history = moment.query.history
        n_categories = int(self.categories.max()) + 1
        liked = history.weights > 0
        person = np.repeat(np.arange(len(history)), np.diff(history.offsets))[liked]
        event, category = self._expand(history.item_rows[liked])
        table = np.bincount(person[event] * n_categories + category, minlength=len(history) * n_categories)
        share = (
            table.reshape(len(history), n_categories)
            / np.maximum(np.bincount(person, minlength=len(history)), 1)[:, None]
        )
        of, category = self._expand(moment.items.item_rows)
        each = share[moment.people[of], category]
        n = len(moment.items.item_rows)
        size = np.bincount(of, minlength=n)
        mean = np.bincount(of, weights=each, minlength=n) / np.maximum(size, 1)
        best = np.zeros(n)
        np.maximum.at(best, of, each)
        return [mean.astype(np.float32), best.astype(np.float32)]

    def _expand(self, item_rows: I32) -> tuple[I64, I32]:
        """Return, for each (item, category) of the given items, the item's position and the category."""
        known = item_rows < len(self.starts) - 1
        safe = np.where(known, item_rows, 0)
        n = np.where(known, self.starts[safe + 1] - self.starts[safe], 0)
        of = np.repeat(np.arange(len(item_rows)), n)
        flat = np.arange(n.sum()) + np.repeat(self.starts[safe] - np.concatenate([[0], np.cumsum(n)[:-1]]), n)
        return of, self.categories[flat]

    def state(self) -> Mapping[str, Array]:
        """Return the attributes as arrays."""
        arrays: dict[str, Array] = {f"numeric.{name}": values for name, values in self.numeric.items()}
        return {**arrays, "starts": self.starts, "categories": self.categories}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take back what ``state`` returned."""
        self.numeric = {k.removeprefix("numeric."): np.asarray(v) for k, v in state.items() if k.startswith("numeric.")}
        self.starts, self.categories = np.asarray(state["starts"]), np.asarray(state["categories"])
        return self


def _read(values: F32, rows: I32) -> F32:
    known = rows < len(values)
    return np.where(known, values[np.where(known, rows, 0)], np.nan).astype(np.float32)


def _float32() -> type:
    import polars as pl

    return pl.Float32
