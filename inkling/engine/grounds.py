"""Why an item stands where it stands: the score's parts by signal, and the person's own acts that they rest on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inkling.core.candidates import Candidates
from inkling.core.query import Query
from inkling.engine.pipeline import Explanation
from inkling.engine.recall import OPINION
from inkling.ranking.base import Attributable, Ranker
from inkling.retrieval.base import Because, Explainable, Retriever

_GROUPS = (
    ("own_", "repeat"),
    ("item_again", "repeat"),
    ("item_gap", "repeat"),
    ("friends_", "friends"),
    ("lift_", "popular_context"),
    ("category_", "text"),
    ("price_", "price"),
    ("item_price", "price"),
    ("item_", "popular"),
    ("person_", "person"),
)
_KINDS = {"price": "", "person": ""}
_MAX_GROUNDS = 5


def explanation(
    members: Mapping[str, Retriever],
    weights: Mapping[str, float],
    ranker: Ranker | None,
    query: Query,
    item: Candidates,
) -> Explanation:
    """Explain one candidate.

    Args:
        members: Retrievers by name.
        weights: Their weights in the fusion, used where there is no ranker that can split its score.
        ranker: What ordered, if anything but the fusion did.
        query: One person.
        item: One candidate with all its fields.
    """
    if len(item.item_rows) == 0:
        return Explanation("")
    row = int(item.item_rows[0])
    parts = _parts(members, weights, ranker, item)
    grounds = {name: _why(members[name], query, row) for name in members if parts.get(name, 0.0) > 0}
    because = _strongest([ground for found in grounds.values() for ground in found])
    kind = _kind(parts, grounds, members, query, row)
    features = {name: float(column[0]) for name, column in item.fields.items() if not name.startswith(("rank_", "_"))}
    return Explanation(kind, because, _shares(parts), features)


def _parts(
    members: Mapping[str, Retriever], weights: Mapping[str, float], ranker: Ranker | None, item: Candidates
) -> dict[str, float]:
    """Return signed parts of the score by signal: members by name, groups of features by kind."""
    if not isinstance(ranker, Attributable):
        return {name: weights.get(name, 0.0) * float(item.fields[OPINION + name][0]) for name in members}
    parts: dict[str, float] = {}
    for name, values in ranker.contributions(item).items():
        signal = _signal(name, members)
        parts[signal] = parts.get(signal, 0.0) + float(values[0])
    return parts


def _signal(feature: str, members: Mapping[str, Retriever]) -> str:
    if feature.startswith((OPINION, "rank_")):
        name = feature.split("_", 1)[1]
        if name in members:
            return name
    return next((kind for start, kind in _GROUPS if feature.startswith(start)), "item")


def _shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Return parts as signed shares that sum to 1 in absolute value, strongest first, without what is near nothing."""
    total = sum(abs(value) for value in parts.values()) or 1.0
    ordered = sorted(parts.items(), key=lambda part: -abs(part[1]))
    return {name: round(value / total, 4) for name, value in ordered if abs(value) / total >= 0.005}


def _why(member: Retriever, query: Query, row: int) -> tuple[Because, ...]:
    return member.why(query, row) if isinstance(member, Explainable) else ()


def _strongest(grounds: list[Because]) -> tuple[Because, ...]:
    best: dict[tuple[str, int], Because] = {}
    for ground in grounds:
        key = (ground.kind, ground.item_row)
        if ground.weight > 0 and (key not in best or best[key].weight < ground.weight):
            best[key] = ground
    return tuple(sorted(best.values(), key=lambda ground: -ground.weight)[:_MAX_GROUNDS])


def _kind(
    parts: Mapping[str, float],
    grounds: Mapping[str, tuple[Because, ...]],
    members: Mapping[str, Retriever],
    query: Query,
    row: int,
) -> str:
    """Return the kind of the strongest positive part that is true of this person: a repeat needs to have been had."""
    had = bool(np.any((query.history.item_rows == row) & (query.history.weights > 0)))
    for name, value in sorted(parts.items(), key=lambda part: -part[1]):
        if value <= 0:
            break
        kind = _kind_of(name, grounds, members)
        if kind and (kind != "repeat" or had):
            return kind
    return "repeat" if had else "popular"


def _kind_of(name: str, grounds: Mapping[str, tuple[Because, ...]], members: Mapping[str, Retriever]) -> str:
    if name not in members:
        return _KINDS.get(name, name)
    found = [ground for ground in grounds.get(name, ()) if ground.weight > 0]
    return found[0].kind if found else ""
