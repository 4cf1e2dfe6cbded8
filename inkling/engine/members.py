"""The retrievers of the default pipeline, and which of them a data set can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from inkling.core.dataset import Dataset
from inkling.engine.recall import MemberConfig
from inkling.retrieval import RETRIEVERS

_HALF_LIVES = ("half_life_days", "fit_half_life_days")
_LINEAR = {"max_items": 2500, "neighbours": 100, "max_events": 200}
_EASE = {"l2": 300.0, "own": 0.3, "signal": "log", "repeats": "session", **dict.fromkeys(_HALF_LIVES, 60.0)}
_CHAIN = {
    "neighbours": 50,
    "own": 0.0,
    "decay": 0.6,
    "ahead_decay": 0.8,
    "backwards": 0.3,
    "popularity": 0.2,
    "origin": 0.4,
}
MEMBERS: dict[str, MemberConfig] = {
    "popular": MemberConfig(retriever="popular", settings={"half_life_days": 7.0}, k=30),
    "trending": MemberConfig(retriever="popular", settings={"half_life_days": 2.0}, k=30),
    "evergreen": MemberConfig(retriever="popular", settings={"half_life_days": 0.0}, k=30),
    "repeat": MemberConfig(retriever="repeat", settings={"half_life_days": 120.0, "popularity": 0.0}, k=60),
    "markov": MemberConfig(retriever="markov", settings={"neighbours": 50, "own": 0.0, "basket": 0.5}, k=30),
    "chain": MemberConfig(retriever="markov", settings=_CHAIN, k=30),
    "itemknn": MemberConfig(
        retriever="itemknn",
        settings={"neighbours": 50, "own": 10.0, "repeats": "session", "half_life_days": 60.0, "max_events": 200},
        k=30,
    ),
    "ease": MemberConfig(retriever="ease", settings={**_LINEAR, **_EASE, "max_items": 6000}, k=30),
    "next": MemberConfig(retriever="forward", settings={**_LINEAR, "windows": 1}, k=30),
    "season": MemberConfig(retriever="forward", settings={**_LINEAR, "windows": 3}, k=30),
    "semantic": MemberConfig(retriever="semantic", settings={"half_life_days": 60.0, "fade": 0.9, "dim": 64}, k=30),
    "social": MemberConfig(retriever="social", k=30),
    "aspect": MemberConfig(retriever="aspect", k=30),
    "aligned": MemberConfig(retriever="aligned", settings={"warm": "itemknn", "settings": {"neighbours": 100}}, k=30),
    "sequence": MemberConfig(retriever="sasrec", settings={"text": "add", "dropout": 0.4, "forget": 0.1}, k=60),
}
_NEEDS_TIME = frozenset({"trending", "markov", "chain", "next", "season"})
LEAST_REVIEWS, LEAST_NEW, _LATE = 200, 0.03, 0.1
"""Events with words from which ``aspect`` begins; ``aligned`` begins where so much of the last tenth of the positive
events is of items that had none before."""
COSTLY = frozenset({"aligned"})
"""Retrievers that have to bring more than others do, since each answer pays for them."""
DEEP_EVENTS = 5000
"""Positive events below which a model that takes minutes has too little to learn from."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The members that a data set can carry, and why others are left out."""

    members: dict[str, MemberConfig]
    left_out: dict[str, str]


def carried(members: Mapping[str, MemberConfig], data: Dataset, *, seconds: float) -> Carried:
    """Return the members that can learn from ``data`` at all.

    Args:
        members: All that are wished for.
        data: What they would be fitted on.
        seconds: The time that all slow members may take together; 0 leaves them out.
    """
    kept, left_out = {}, {}
    n_positive = int(data.interactions.positive.sum())
    for name, member in members.items():
        if member.retriever == "social" and data.links is None:
            continue  # nothing was left out of data that says nothing of friends
        if data.scenario.time == "none" and (name in _NEEDS_TIME or is_slow(member)):
            left_out[name] = "the data has no time"
        elif is_slow(member) and n_positive < DEEP_EVENTS:
            left_out[name] = f"{n_positive:,} positive events are too few, it begins at {DEEP_EVENTS:,}"
        elif is_slow(member) and seconds <= 0:
            left_out[name] = "there is no time for it"
        elif why := _unfit(member, data):
            left_out[name] = why
        else:
            kept[name] = member
    return Carried(kept, left_out)


def _unfit(member: MemberConfig, data: Dataset) -> str:
    """Return why a member that reads would learn nothing here; "" where it may."""
    if member.retriever == "aspect":
        n = sum(map(bool, data.interactions.texts.tolist()))
        return f"{n} events come with words, it begins at {LEAST_REVIEWS}" if n < LEAST_REVIEWS else ""
    if member.retriever != "aligned":
        return ""
    if not any(data.items.texts()):
        return "the items have no texts"
    if data.scenario.time != "real":
        return "without times nothing tells which items are new"
    share = new_share(data)
    told = f"{share:.1%} of the newest events are of new items, it begins at {LEAST_NEW:.0%}"
    return told if share < LEAST_NEW else ""


def new_share(data: Dataset) -> float:
    """Return which share of the last tenth of the positive events is of items that had none before."""
    events = data.interactions
    at = np.flatnonzero(events.positive & (events.item_rows >= 0))
    if not len(at):
        return 0.0
    rows, ts = events.item_rows[at], events.ts[at]
    cut = np.sort(ts)[int((1 - _LATE) * (len(ts) - 1))]
    first = np.full(data.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, rows, ts)
    late = ts > cut
    return float((first[rows[late]] > cut).mean()) if late.any() else 0.0


def is_slow(member: MemberConfig) -> bool:
    """Return whether a member takes minutes to learn, and can go on from what it learned before."""
    return hasattr(RETRIEVERS.get(member.retriever), "carry")


def is_costly(member: MemberConfig) -> bool:
    """Return whether a member has to bring more than others do."""
    return is_slow(member) or member.retriever in COSTLY


def within(member: MemberConfig, seconds: float) -> MemberConfig:
    """Return a slow member that stops learning after so many seconds; a shorter limit of its own stays."""
    own: float = member.settings.get("max_seconds", 0) or float("inf")
    if min(own, seconds) == float("inf"):
        return member
    settings: dict[str, Any] = {**member.settings, "max_seconds": min(own, seconds)}
    return msgspec.structs.replace(member, settings=settings)
