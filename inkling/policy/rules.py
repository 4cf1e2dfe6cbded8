"""What a business says on top: only these, rather these, these in that place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.errors import ConfigError
from inkling.core.query import Query
from inkling.policy.base import PolicyContext

_SOURCE = "rule"


class Rule(Config, frozen=True, kw_only=True):
    """One rule about the items that a filter names."""

    kind: Literal["filter", "boost", "pin"]
    """filter leaves only these; boost multiplies their score; pin puts them in a place, adding them if need be."""
    where: dict[str, Any]
    """Which items: ``{"all": [{"field", "op", "value"}]}`` or ``{"any": [...]}``, as in a question's filter."""
    keep: bool = True
    """filter: whether the items are kept, all others going, or the other way round."""
    factor: Annotated[float, msgspec.Meta(gt=0)] = 1.5
    """boost: positive scores are multiplied, negative ones divided by it; below 1 it pushes items down."""
    at: Annotated[int, msgspec.Meta(ge=1)] = 1
    """pin: the first item's place, from 1."""
    limit: Annotated[int, msgspec.Meta(ge=1)] = 1
    """pin: at most so many items."""


class RulesConfig(Config, frozen=True, kw_only=True):
    """Settings of ``rules``."""

    rules: tuple[Rule, ...] = ()
    """Applied in this order, filters and boosts before pins."""


class Rules:
    """Filters, boosts and pins items by their attributes. A pinned item keeps to the question's own limits."""

    name = "rules"
    Config = RulesConfig

    def __init__(self, config: RulesConfig | None = None, context: PolicyContext | None = None) -> None:
        self.config = config or RulesConfig()
        self._context = context or PolicyContext()

    def apply(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates under the rules.

        Raises:
            ConfigError: There are rules, but nothing that says which items a filter names.
        """
        for rule in self.config.rules:
            if rule.kind == "filter":
                items = items.keep(self._named(rule, items.item_rows, query) == rule.keep)
            elif rule.kind == "boost":
                named = self._named(rule, items.item_rows, query)
                items = items.with_scores(np.where(named, _boosted(items.scores, rule.factor), items.scores))
        for rule in self.config.rules:
            if rule.kind == "pin":
                items = _pin(query, items, rule, self._mask(rule.where, query.n_items))
        return items

    def _named(self, rule: Rule, item_rows: I32, query: Query) -> Bool:
        return self._mask(rule.where, query.n_items)[item_rows]

    def _mask(self, where: Mapping[str, Any], n_items: int) -> Bool:
        """Return which items (n_items,) a filter names; items younger than the resolver's catalogue are not."""
        if self._context.resolve is None:
            raise ConfigError(
                "Rules name items by attributes, but this policy was given no catalogue to look them up in."
            )
        mask = np.zeros(n_items, dtype=np.bool_)
        found = self._context.resolve(where)[:n_items]
        mask[: len(found)] = found
        return mask


def _boosted(scores: F32, factor: float) -> F32:
    return np.where(scores > 0, scores * np.float32(factor), scores / np.float32(factor))


def _pin(query: Query, items: Candidates, rule: Rule, mask: Bool) -> Candidates:
    """Move a person's best named candidates to their place; where there are too few, add others that may be shown."""
    parts = [_pinned(query, items, rule, mask, person) for person in range(len(items))]
    flat = np.concatenate([part for part, _ in parts]) if parts else np.empty(0, dtype=np.int64)
    added = np.concatenate([rows for _, rows in parts]) if parts else np.empty(0, dtype=np.int32)
    offsets = np.zeros(len(items) + 1, dtype=np.int64)
    np.cumsum([len(part) for part, _ in parts], out=offsets[1:])
    return _joined(items, flat, added, offsets)


def _pinned(query: Query, items: Candidates, rule: Rule, mask: Bool, person: int) -> tuple[np.ndarray, I32]:
    """Return one person's positions in order, -1 for an item that is added, and the rows that are added."""
    start, end = int(items.offsets[person]), int(items.offsets[person + 1])
    own = np.arange(start, end)
    named = own[mask[items.item_rows[start:end]]][: rule.limit]
    more = _addable(query, mask, person)
    more = more[~np.isin(more, items.item_rows[start:end])][: rule.limit - len(named)]
    rest = own[~np.isin(own, named)]
    place = min(rule.at - 1, len(rest))
    pinned = np.concatenate([named, np.full(len(more), -1)])
    return np.concatenate([rest[:place], pinned, rest[place:]]).astype(np.int64), more


def _addable(query: Query, mask: Bool, person: int) -> I32:
    """Return the named rows that the question lets this person see, in the catalogue's order."""
    if query.allowed is not None:
        mask = mask & query.allowed
    rows = np.flatnonzero(mask).astype(np.int32)
    if query.candidates is not None:
        rows = rows[np.isin(rows, query.candidates[person])]
    return rows if query.exclude is None else rows[~np.isin(rows, query.exclude[person])]


def _joined(items: Candidates, flat: np.ndarray, added: I32, offsets: np.ndarray) -> Candidates:
    """Return the candidates at ``flat``, with ``added`` rows where it is -1: scored as what stands before or after."""
    new = np.flatnonzero(flat < 0)
    if not len(new):
        return items.select(flat, offsets)
    n = len(items.item_rows)
    rows, names = np.append(items.item_rows, added), (*items.source_names, _SOURCE)
    scores = np.append(items.scores, np.zeros(len(added), dtype=np.float32))
    sources = np.append(items.sources, np.full(len(added), len(names) - 1, dtype=np.int8))
    fields = {
        k: np.append(column, np.full(len(added), np.nan)).astype(column.dtype) for k, column in items.fields.items()
    }
    flat = flat.copy()
    flat[new] = n + np.arange(len(added))
    return Candidates(np.array([0, len(rows)]), rows, scores, sources, names, fields).select(flat, offsets)
