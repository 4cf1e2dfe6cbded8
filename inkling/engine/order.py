"""Which order to trust: weighted opinions, a linear ranker or boosted trees, by windows unknown to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine import choose
from inkling.engine.choose import Judged
from inkling.engine.recall import OPINION, RANK
from inkling.ranking import RANKERS
from inkling.ranking.base import Ranker

LEAST_GAIN = 0.015


@dataclass(frozen=True, slots=True)
class Choice:
    """What validation chose."""

    order: str
    weights: dict[str, float]
    ranker: Ranker | None
    curve: tuple[float, float]
    """Slope and intercept from a score to a probability."""
    validation: dict[str, float]
    """NDCG@10 of each order, out of window."""
    dropped: tuple[str, ...] = ()
    """Members that add nothing here."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders that may be chosen, and how they are made."""

    wanted: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    keep_always: frozenset[str]
    """Members that stay even where they add nothing on validation: they serve new items, new people and free text."""

    def choose(self, past: Sequence[Judged], names: Sequence[str], run: Run) -> Choice:
        """Choose the order, leave out the members that it does not need, and teach it all windows.

        Args:
            past: Windows, each with the candidates of the same members.
            names: The members.
            run: Seed, threads, progress.
        """
        weights = choose.fusion_weights(choose.thin(past), names)
        found: dict[str, float] = {}
        gains: dict[str, Mapping[str, float]] = {}
        for order in run.track(self.wanted, "choosing an order", total=len(self.wanted)):
            found[order], gains[order] = self._out_of_window(order, past, names, run)
        best = max(self.wanted, key=lambda order: found[order])
        dropped = self._superfluous(best, weights, gains[best], names)
        past = [_without(window, dropped) for window in past]
        kept = {name: weight for name, weight in weights.items() if name not in dropped}
        ranker = None if best == "fused" else self._new(best).fit(choose.pooled(past), run)
        scores = [
            choose.fused(window.items, kept) if ranker is None else flat_scores(ranker, window.data.query, window.items)
            for window in past
        ]
        curve = choose.calibrate(np.concatenate(scores), np.concatenate([window.data.labels for window in past]))
        return Choice(best, kept, ranker, curve, found, dropped)

    def _superfluous(
        self, order: str, weights: Mapping[str, float], gains: Mapping[str, float], names: Sequence[str]
    ) -> tuple[str, ...]:
        """Return members without weight in the fusion, or whose columns bring the ranker next to nothing."""

        def useless(name: str) -> bool:
            gain = gains.get(OPINION + name, 0.0) + gains.get(RANK + name, 0.0)
            return gain < LEAST_GAIN if order != "fused" else weights.get(name, 0.0) == 0

        return tuple(name for name in names if name not in self.keep_always and useless(name))

    def _out_of_window(
        self, order: str, past: Sequence[Judged], names: Sequence[str], run: Run
    ) -> tuple[float, dict[str, float]]:
        """Return NDCG@10 where even windows are ordered by what odd ones taught and the other way round, and gains.

        With one window only, its people are halved instead.
        """
        if len(past) == 1:
            people = np.arange(len(past[0].items))
            past = [choose.part(past[0], people[people % 2 == half]) for half in (0, 1)]
        scores: list[F32] = [np.empty(0, dtype=np.float32)] * len(past)
        gains: dict[str, float] = {}
        for half in (0, 1):
            taught, found = self._teach(order, past[1 - half :: 2], names, run)
            for name, gain in found.items():
                gains[name] = gains.get(name, 0.0) + gain / 2
            for at in range(half, len(past), 2):
                scores[at] = taught(past[at])
        return choose.mean_ndcg(past, scores), gains

    def _teach(
        self, order: str, windows: Sequence[Judged], names: Sequence[str], run: Run
    ) -> tuple[Callable[[Judged], F32], Mapping[str, float]]:
        """Return what orders a window after learning from others, and each column's share of the gain."""
        if order == "fused":
            weights = choose.fusion_weights(choose.thin(windows), names)
            return lambda window: choose.fused(window.items, weights), {}
        ranker = self._new(order).fit(choose.pooled(windows), run)
        return lambda window: flat_scores(ranker, window.data.query, window.items), shares(ranker)

    def _new(self, order: str) -> Ranker:
        return new_ranker(order, self.settings.get(order, {}))


def new_ranker(order: str, settings: Mapping[str, Any]) -> Ranker:
    """Return an unfitted ranker."""
    kind = RANKERS.get(order)
    made: Ranker = kind(parse(kind.Config, settings, where=order))
    return made


def shares(ranker: Ranker | None) -> dict[str, float]:
    """Return each column's share of what a ranker gained by it, summing to 1; empty where it cannot tell."""
    tell = getattr(ranker, "importances", None)
    gains: dict[str, float] = {name: abs(float(gain)) for name, gain in tell().items()} if tell else {}
    total = sum(gains.values()) or 1.0
    return {name: gain / total for name, gain in gains.items()}


def flat_scores(ranker: Ranker, query: Query, items: Candidates) -> F32:
    """Return scores (N,) in the order of ``items``: a ranker returns them sorted, so positions travel along."""
    places = np.arange(len(items.item_rows))
    ranked = ranker.score(query, items.with_fields({"_place": places}))
    scores = np.empty(len(places), dtype=np.float32)
    scores[ranked.fields["_place"]] = ranked.scores
    return scores


def _without(window: Judged, dropped: Sequence[str]) -> Judged:
    gone = {start + name for name in dropped for start in (OPINION, RANK)}
    fields = {name: column for name, column in window.items.fields.items() if name not in gone}
    return replace(window, data=replace(window.data, candidates=replace(window.items, fields=fields)))
