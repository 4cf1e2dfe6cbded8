"""What the members would have said in windows of the past, by models that knew nothing of the window."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.run import Run
from inkling.engine import choose
from inkling.engine.carry import member_states
from inkling.engine.members import is_costly, is_slow, within
from inkling.engine.near import near_fields
from inkling.engine.order import Orders, without
from inkling.engine.pipeline import Start
from inkling.engine.ranks import ranked_fields
from inkling.engine.recall import OPINION, MemberConfig, Recall, labels_of
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.engine.windows import Window
from inkling.features.table import FeatureTable
from inkling.ranking.base import RankingSet
from inkling.retrieval.base import Retriever

NEWEST_SHARE = 0.5
"""Share of the slow members' time that the newest window takes, which tells whether they are of any use here."""
FIRST_SHARE = 0.6
"""Share of what is left that the oldest window takes: the others go on from what it taught."""


@dataclass(slots=True)
class Past:
    """Judges members and orders on windows of the past.

    Attributes:
        members: Those that are asked; the newest window takes out the superfluous.
        reader: What reads texts.
        shown: What may be answered.
        features: Groups of features.
        n_candidates: How many candidates of a person are judged.
        keep_always: Members that stay even where they add nothing.
        start: What the slow members begin from in the oldest window; None is from nothing.
        vectors: (n_items, dim) of the items' texts: what an item says does not depend on the window.
        dropped: Members that added nothing.
        left_out: Members that could not learn, each with its reason.
    """

    members: dict[str, MemberConfig]
    reader: TextReader
    shown: Shown
    features: tuple[str, ...]
    n_candidates: int
    keep_always: tuple[str, ...] = ()
    start: Start | None = None
    vectors: F32 = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    dropped: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def look(
        self, found: Sequence[Window], orders: Orders, run: Run, *, deadline: float, seconds: float
    ) -> list[choose.Judged]:
        """Return each window's labelled candidates, the newest first.

        Args:
            found: The windows, the newest first.
            orders: What tells which members are superfluous.
            run: Seed, threads, progress.
            deadline: What ``time.perf_counter`` may not pass by much: older windows are not looked at after it.
            seconds: How long the slow members may learn in all windows together.
        """
        past: list[choose.Judged] = []
        older: dict[str, list[Retriever]] = {}
        for at, window in enumerate(run.track(found, "learning from the past", total=len(found))):
            if past and time.perf_counter() > deadline:
                break
            if at == 0:
                only = len(found) == 1
                ready = self._taught([window], run, seconds if only else NEWEST_SHARE * seconds)
                past = [self._prune(self._judge(window, _at(ready, 0), run), orders, run)]
                continue
            if at == 1:
                older = self._taught(found[1:], run, (1 - NEWEST_SHARE) * seconds)
            past.append(self._judge(window, _at(older, at - 1), run))
        return past

    def _taught(self, found: Sequence[Window], run: Run, seconds: float) -> dict[str, list[Retriever]]:
        """Return the slow members fitted for each window: from the oldest on, each goes on from the one before."""
        taught: dict[str, list[Retriever]] = {}
        names = [name for name, member in self.members.items() if is_slow(member)]
        for name in names:
            models: list[Retriever] = []
            for place, window in enumerate(reversed(found)):
                config = within(self.members[name], seconds * _share(place, len(found)) / len(names))
                recall = Recall.of({name: config}, encoder=self.reader)
                if models:
                    go_on(recall, {name: models[0].state()}, tuple(window.train.item_ids))
                elif self.start is not None:
                    go_on(recall, member_states(self.start), self.start.item_ids)
                recall.fit(window.train, run)
                self.left_out |= recall.left_out
                if name not in recall.members:
                    break
                models.insert(0, recall.members[name])
            if len(models) == len(found):
                taught[name] = models
            else:
                self.members = {other: member for other, member in self.members.items() if other != name}
        return taught

    def _judge(self, window: Window, ready: Mapping[str, Retriever], run: Run) -> choose.Judged:
        recall = Recall.of(self.members, encoder=self.reader, ready=ready)
        recall.fit(window.train, run)
        self.left_out |= recall.left_out
        features = FeatureTable(self.features).fit(window.train)
        query = self.shown.limited(window.train.query(window.user_rows))
        even = dict.fromkeys(recall.members, 1.0)
        items = features.compute(query, recall.candidates(query, even, limit=self.n_candidates))
        items = ranked_fields(near_fields(self.vectors, query, items))
        targets = (window.targets.offsets, window.targets.values)
        labels = labels_of(items, targets, query.n_items)
        return choose.judged(RankingSet(query, items, labels), window.targets)

    def _prune(self, newest: choose.Judged, orders: Orders, run: Run) -> choose.Judged:
        """Leave out the members that add nothing to the newest window from then on."""
        names = [name for name in self.members if OPINION + name in newest.items.fields]
        costly = frozenset(name for name in names if is_costly(self.members[name]))
        found = orders.superfluous(newest, names, run, costly=costly)
        self.dropped = tuple(name for name in found if name not in self.keep_always)
        self.members = {name: member for name, member in self.members.items() if name not in self.dropped}
        return without(newest, self.dropped)


def _at(models: Mapping[str, Sequence[Retriever]], place: int) -> dict[str, Retriever]:
    return {name: each[place] for name, each in models.items()}


def _share(place: int, n: int) -> float:
    """Return what one of ``n`` windows, the oldest at place 0, has of the slow members' time."""
    if n == 1:
        return 1.0
    return FIRST_SHARE if place == 0 else (1 - FIRST_SHARE) / (n - 1)


def go_on(recall: Recall, learned: Mapping[str, Mapping[str, Array]], item_ids: Sequence[str]) -> None:
    """Let slow members begin from what they learned before."""
    for name, state in learned.items():
        member: Any = recall.members.get(name)
        if member is not None and hasattr(member, "carry"):
            member.carry(state, item_ids)
