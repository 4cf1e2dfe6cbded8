"""Ask about each event before it is known, then show it: how an engine that keeps learning is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from inkling.core.arrays import I64
from inkling.core.dataset import Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.protocol.fold import Fold
from inkling.protocol.measure import Recommend, Result, check_answer, largest_k, place, score

Observe: TypeAlias = Callable[[Interactions], None]


def _none() -> I64:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ReplayFold(Fold):
    """A fold whose P questions are events: one person each, who may come again. ``history`` is the whole log.

    Attributes:
        asked: (P,) position in the log of the event that each question is about; earlier ones are known.
        exists_from: (n_items,) the first position in the log that finds each item in existence.
    """

    asked: I64 = field(default_factory=_none)
    exists_from: I64 = field(default_factory=_none)

    @cached_property
    def _positions(self) -> I64:
        """Return the log's positions by person, in order of time within a person."""
        return np.argsort(self.history.user_rows, kind="stable")

    @cached_property
    def _starts(self) -> I64:
        """Return where each person begins in ``_positions`` (n_users + 1,)."""
        ordered = self.history.user_rows[self._positions]
        return np.searchsorted(ordered, np.arange(self.train.n_users + 1))

    def batches(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield bounds of questions between which no item appears, at most ``size`` each."""
        if not len(self):
            return
        known = np.searchsorted(np.sort(self.exists_from), self.asked, side="right")
        changes = np.flatnonzero(np.diff(known)) + 1
        edges = [0, *changes.tolist(), len(self)]
        for start, stop in pairwise(edges):
            for begin in range(start, stop, size):
                yield begin, min(begin + size, stop)

    def query(self, positions: I64 | None = None) -> Query:
        """Return questions by position (default: all), with what was known at the moment of the first of them."""
        index = np.arange(len(self)) if positions is None else positions
        history = self._known(index)
        first = int(self.asked[index].min(initial=len(self.history)))
        return Query(
            history=history,
            now=self.now[index],
            n_items=len(self.candidates),
            user_rows=self.user_rows[index],
            allowed=self.exists_from <= first,
            exclude=Jagged(history.offsets, history.item_rows) if self.seen == "drop" else None,
        )

    def n_history(self) -> I64:
        """Return how many events the person of each question (P,) had when asked."""
        return self._n_known(np.arange(len(self)))

    def _n_known(self, index: I64) -> I64:
        lengths = np.empty(len(index), dtype=np.int64)
        for number, (user, position) in enumerate(
            zip(self.user_rows[index].tolist(), self.asked[index].tolist(), strict=True)
        ):
            lengths[number] = np.searchsorted(self._positions[self._starts[user] : self._starts[user + 1]], position)
        return lengths

    def _known(self, index: I64) -> History:
        """Return the histories before each question's own event."""
        whole = self.history.histories(self.user_rows[index])
        lengths = self._n_known(index)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return whole.select(np.arange(offsets[-1]) + np.repeat(whole.offsets[:-1] - offsets[:-1], lengths), offsets)


def replay(fold: ReplayFold, recommend: Recommend, observe: Observe, names: Sequence[str] = ("ndcg@10",)) -> Result:
    """Walk through the log after the cut: answer, score, observe.

    Args:
        fold: The questions.
        recommend: The model.
        observe: Shown every event of the log after the cut in order, always before the next question.
        names: Metrics.

    Raises:
        ProtocolError: An answer is none to its question.
    """
    k = largest_k(names)
    recommended = np.full((len(fold), k), -1, dtype=np.int32)
    scores = np.full((len(fold), k), np.nan, dtype=np.float32)
    log, spent = fold.history, 0.0
    shown = int(np.searchsorted(log.ts, fold.cut, side="right"))
    for number, position in enumerate(fold.asked.tolist()):
        if position > shown:
            observe(log.select(np.arange(shown, position)))
            shown = position
        query = fold.query(np.array([number]))
        begin = time.perf_counter()
        answer = recommend(query, k)
        spent += time.perf_counter() - begin
        check_answer(query, answer, k)
        place(answer, recommended[number : number + 1], scores[number : number + 1])
    return score(fold, recommended, scores, names, predict_s=spent)
