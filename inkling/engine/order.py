"""Which order to trust: weighted opinions, a linear ranker or boosted trees, by windows unknown to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine import choose
from inkling.engine.choose import Judged
from inkling.engine.recall import OPINION, RANK
from inkling.engine.weights import Weights
from inkling.ranking import RANKERS
from inkling.ranking.base import Ranker

LEAST_GAIN = 0.015
COSTLY_GAIN = 0.06
_QUICK_TREES = 30
_MAX_PEOPLE = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """What validation chose."""

    order: str
    weights: Weights
    ranker: Ranker | None
    curve: tuple[float, float]
    """Slope and intercept from a score to a probability."""
    validation: dict[str, float]
    """NDCG@10 of each order, out of window."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders that may be chosen, and how they are made."""

    wanted: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]

    def superfluous(
        self, newest: Judged, names: Sequence[str], run: Run, *, costly: frozenset[str] = frozenset()
    ) -> tuple[str, ...]:
        """Return members without weight in the fusion whose columns bring a ranker next to nothing either.

        Asked of the newest window before the older ones are looked at, so that nothing is spent on such members there.
        A costly member has to bring more.
        """
        thin = choose.thin([newest], _MAX_PEOPLE)
        weights = choose.fusion_weights(thin, names)
        gains: dict[str, float] = {}
        if "gbdt" in self.wanted:
            settings = {**self.settings.get("gbdt", {}), "trees": _QUICK_TREES}
            with suppress(DataError):  # a window in which nobody took a candidate tells nothing of the members
                gains = shares(new_ranker("gbdt", settings).fit(choose.pooled(thin), run))

        def useless(name: str) -> bool:
            gain = gains.get(OPINION + name, 0.0) + gains.get(RANK + name, 0.0)
            return weights.get(name, 0.0) == 0 and gain < (COSTLY_GAIN if name in costly else LEAST_GAIN)

        return tuple(name for name in names if useless(name))

    def choose(self, past: Sequence[Judged], names: Sequence[str], run: Run, *, deadline: float) -> Choice:
        """Choose the order and teach it all windows.

        Args:
            past: Windows, each with the candidates of the same members.
            names: The members.
            run: Seed, threads, progress.
            deadline: What ``time.perf_counter`` may not pass by much: orders that would begin later are not tried.
        """
        weights = choose.weights_by_length(choose.thin(past, _MAX_PEOPLE), names)
        found: dict[str, float] = {}
        for order in run.track(self.wanted, "choosing an order", total=len(self.wanted)):
            if not found or time.perf_counter() < deadline:
                value = self._measured(order, past, names, run)
                found |= {} if value is None else {order: value}
        if not found:
            found["fused"] = self._out_of_window("fused", past, names, run)
        best = max(found, key=lambda order: found[order])
        ranker = None if best == "fused" else self._new(best).fit(choose.pooled(past), run)
        scores = [
            choose.fused(window.data.query, window.items, weights)
            if ranker is None
            else flat_scores(ranker, window.data.query, window.items)
            for window in past
        ]
        curve = choose.calibrate(np.concatenate(scores), np.concatenate([window.data.labels for window in past]))
        return Choice(best, weights, ranker, curve, found)

    def _measured(self, order: str, past: Sequence[Judged], names: Sequence[str], run: Run) -> float | None:
        """Return NDCG@10 out of window, or None where the windows hold too little for a ranker to learn from."""
        try:
            return self._out_of_window(order, past, names, run)
        except DataError as error:
            run.log.warning("The order '%s' is left out: %s", order, error)
            return None

    def _out_of_window(self, order: str, past: Sequence[Judged], names: Sequence[str], run: Run) -> float:
        """Return NDCG@10 over all windows, each ordered by what the others taught."""
        past = apart(past)
        return choose.mean_ndcg(past, self.unseen(order, past, names, run))

    def unseen(self, order: str, past: Sequence[Judged], names: Sequence[str], run: Run) -> list[F32]:
        """Return the scores of each of several windows by what the others taught."""
        scores = []
        for held, window in enumerate(past):
            others = [other for at, other in enumerate(past) if at != held]
            scores.append(self._teach(order, others, names, run)(window))
        return scores

    def _teach(self, order: str, windows: Sequence[Judged], names: Sequence[str], run: Run) -> Callable[[Judged], F32]:
        """Return what orders a window after learning from others."""
        if order == "fused":
            weights = choose.weights_by_length(choose.thin(windows, _MAX_PEOPLE), names)
            return lambda window: choose.fused(window.data.query, window.items, weights)
        ranker = self._new(order).fit(choose.pooled(windows), run)
        return lambda window: flat_scores(ranker, window.data.query, window.items)

    def _new(self, order: str) -> Ranker:
        return new_ranker(order, self.settings.get(order, {}))


def apart(past: Sequence[Judged]) -> Sequence[Judged]:
    """Return the windows; where there is only one, the two halves of its people."""
    if len(past) != 1:
        return past
    people = np.arange(len(past[0].items))
    return [choose.part(past[0], people[people % 2 == half]) for half in (0, 1)]


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
    """Return scores (N,) in the order of ``items``; a ranker that only sorts them takes their positions along."""
    scores = getattr(ranker, "scores", None)
    if scores is not None:
        given: F32 = scores(query, items)
        return given
    places = np.arange(len(items.item_rows))
    ranked = ranker.score(query, items.with_fields({"_place": places}))
    found = np.empty(len(places), dtype=np.float32)
    found[ranked.fields["_place"]] = ranked.scores
    return found


def asked_columns(ranker: Ranker | None) -> frozenset[str] | None:
    """Return the names of the columns that a ranker looks at; None where it may be any."""
    asks = getattr(ranker, "asks", None)
    found: frozenset[str] | None = asks() if asks is not None else None
    return found


def without(window: Judged, dropped: Sequence[str]) -> Judged:
    """Return a window without the columns of some members."""
    gone = {start + name for name in dropped for start in (OPINION, RANK)}
    fields = {name: column for name, column in window.items.fields.items() if name not in gone}
    return replace(window, data=replace(window.data, candidates=replace(window.items, fields=fields)))
