"""Why an item stands where it stands: the score's parts by signal, and the person's own acts that they rest on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.core.query import Query
from inkling.engine.pipeline import Explanation
from inkling.engine.recall import OPINION, RANK
from inkling.ranking.base import Attributable, Ranker
from inkling.retrieval.base import Because, Explainable, Retriever

_GROUPS = (
    ("own_", "repeat"),
    ("item_again", "repeat"),
    ("item_gap", "repeat"),
    ("friends_", "friends"),
    ("lift_", "popular_context"),
    ("category_", "text"),
    ("near_", "text"),
    ("price_", "price"),
    ("item_price", "price"),
    ("item_", "popular"),
    ("person_", "person"),
)
_KINDS = {"price": "", "person": ""}
_MAX_GROUNDS = 5
_CLEAR, _HEARD = 0.4, 0.5  # a cosine of .4 is all that was asked for; below half of it the words are not the reason
_MAX_ASKED = 3  # so many of the strongest members are asked for their grounds


def explanations(
    members: Mapping[str, Retriever],
    weights: Mapping[str, float],
    ranker: Ranker | None,
    query: Query,
    items: Candidates,
) -> list[Explanation]:
    """Explain some candidates of one person.

    Args:
        members: Retrievers by name.
        weights: Their weights in the fusion, used where there is no ranker that can split its score.
        ranker: What ordered, if anything but the fusion did.
        query: One person.
        items: Candidates with all their fields.
    """
    parts = _parts(members, weights, ranker, items)
    had = set(query.history.item_rows[query.history.weights > 0].tolist())
    return [
        _explained(members, query, items, at, {name: float(values[at]) for name, values in parts.items()}, had)
        for at in range(len(items.item_rows))
    ]


def _explained(
    members: Mapping[str, Retriever],
    query: Query,
    items: Candidates,
    at: int,
    parts: Mapping[str, float],
    had: set[int],
) -> Explanation:
    row = int(items.item_rows[at])
    telling = sorted((name for name in members if parts.get(name, 0.0) > 0), key=lambda name: -parts[name])
    grounds = {name: _why(members[name], query, row) for name in telling[:_MAX_ASKED]}
    because = _strongest([ground for found in grounds.values() for ground in found])
    features = {name: float(column[at]) for name, column in items.fields.items() if not name.startswith((RANK, "_"))}
    return Explanation(_kind(parts, grounds, members, had=row in had), because, _shares(parts), features)


def asked_for(found: Explanation, cosine: float) -> Explanation:
    """Return an explanation beside what was asked for in words: near words lead, the person's own signals follow."""
    share = min(max(cosine, 0.0) / _CLEAR, 1.0)
    if share < _HEARD:
        return found
    rest = {name: round(value * (1 - share), 4) for name, value in found.contributions.items()}
    rest = {name: value for name, value in rest.items() if value}
    features = {"query_cosine": cosine, **found.features}
    return Explanation("query", found.because, {"query": round(share, 4), **rest}, features)


def _parts(
    members: Mapping[str, Retriever], weights: Mapping[str, float], ranker: Ranker | None, items: Candidates
) -> dict[str, F32]:
    """Return signed parts (n,) of the scores by signal: members by name, groups of features by kind."""
    if not isinstance(ranker, Attributable):
        return {name: np.float32(weights.get(name, 0.0)) * items.fields[OPINION + name] for name in members}
    parts: dict[str, F32] = {}
    for name, values in ranker.contributions(items).items():
        signal = _signal(name, members)
        parts[signal] = parts[signal] + values if signal in parts else values
    return parts


def _signal(feature: str, members: Mapping[str, Retriever]) -> str:
    if feature.startswith((OPINION, RANK)):
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
    """Return a member's grounds; that a thing goes with itself is no ground, that it was had before is one."""
    found = member.why(query, row) if isinstance(member, Explainable) else ()
    return tuple(ground for ground in found if ground.item_row != row or ground.kind == "repeat")


def _strongest(grounds: list[Because]) -> tuple[Because, ...]:
    best: dict[tuple[str, int, str], Because] = {}
    for ground in grounds:
        key = (ground.kind, ground.item_row, ground.about)
        if ground.weight > 0 and (key not in best or best[key].weight < ground.weight):
            best[key] = ground
    return tuple(sorted(best.values(), key=lambda ground: -ground.weight)[:_MAX_GROUNDS])


def _kind(
    parts: Mapping[str, float],
    grounds: Mapping[str, tuple[Because, ...]],
    members: Mapping[str, Retriever],
    *,
    had: bool,
) -> str:
    """Return the kind of the strongest positive part that is true of this person: a repeat needs to have been had."""
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
