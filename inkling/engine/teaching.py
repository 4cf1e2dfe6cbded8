"""What a language model brings to an order: a teacher of the fast ranker, and a reader of its first candidates.

Both are judged on the newest window of the past, which neither learned from, beside the fast order that learned from
the same windows; what brings no gain there is left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from inkling.core.arrays import F32, F64, I64
from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError, DataError, MissingExtraError
from inkling.core.run import Run
from inkling.engine import choose
from inkling.engine.carry import CARRIED
from inkling.engine.choose import Judged
from inkling.engine.order import Choice, Orders, apart, flat_scores, new_ranker
from inkling.engine.pipeline import Trace
from inkling.engine.rereading import RankConfig, Rereader, shelve
from inkling.ranking import teach
from inkling.ranking.base import Ranker, RankingSet
from inkling.ranking.cross_encoder import CrossEncoder, CrossEncoderConfig

_AT = "teaching.at"
_TRAIN_SHARE = 0.6  # of the time of a teacher; the rest is for grading
_JUDGES = 300  # people of the newest window who tell whether it is of use
_ERRORS = 0.5  # a gain counts beyond so many standard errors, as for the weights of members


@dataclass(frozen=True)
class Learned:
    """What became of the order, and what was measured."""

    choice: Choice
    rereader: Rereader | None = None
    reading: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Teaching:
    """Lets a language model read what the windows of the past hold.

    Attributes:
        config: What it is to do.
        data: Catalogue whose texts it reads.
        gbdt: Settings of the ranker that is taught.
        run: Seed, threads, progress.
        seconds: How long all of it may take.
    """

    config: RankConfig
    data: Dataset
    gbdt: Mapping[str, Any]
    run: Run
    seconds: float

    def learn(self, choice: Choice, past: Sequence[Judged], orders: Orders) -> Learned:
        """Return the order after what was asked for was tried.

        Args:
            choice: The fast order, which learned from all windows.
            past: The windows, the newest first.
            orders: What makes the fast order anew, for windows that it did not learn from.
        """
        found = Learned(choice)
        if not past or self.seconds <= 0:
            why = "there is no window of the past" if not past else "there is no time for it"
            return replace(found, left_out={f"rank.{name}": why for name in self._wanted})
        past = apart(past)
        scores = self._unseen(choice, past, orders)
        for name in self._wanted:
            try:
                found, scores = (
                    self._taught(found, past, scores) if name == "teacher" else self._read(found, past, scores)
                )
            except (DataError, MissingExtraError) as error:
                found = replace(found, left_out={**found.left_out, f"rank.{name}": str(error)})
        return found

    @property
    def _wanted(self) -> list[str]:
        return [name for name in ("teacher", "cross") if getattr(self.config, name)]

    def _unseen(self, choice: Choice, past: Sequence[Judged], orders: Orders) -> list[F32]:
        """Return each window's chances (N,) by an order that did not learn from it; a carried one learned from none."""
        if choice.order in orders.wanted and CARRIED not in choice.validation:
            scores = orders.unseen(choice.order, past, list(choice.weights), self.run)
        else:
            scores = [_scored(choice, window) for window in past]
        return [_chance(score, choice.curve) for score in scores]

    # -- teaching -------------------------------------------------------------------------------------------------

    def _taught(self, found: Learned, past: Sequence[Judged], scores: list[F32]) -> tuple[Learned, list[F32]]:
        """Return the choice with a ranker that was taught, where that gains on the newest window."""
        seconds = self.seconds / len(self._wanted)
        teachers = self._teachers(past, scores, seconds * _TRAIN_SHARE)
        until = time.perf_counter() + seconds * (1 - _TRAIN_SHARE)
        graded = [
            self._graded(window, score, teachers, until, place / len(past))
            for place, (window, score) in enumerate(zip(past, scores, strict=True), start=1)
        ]
        newest, settings = past[0], {**self.gbdt, "grades": self.config.grades}
        student = new_ranker("gbdt", settings).fit(RankingSet.join(graded[1:]), self.run)
        own = flat_scores(student, newest.data.query, newest.items)
        fast, taught = newest.ndcg(scores[0]), newest.ndcg(own)
        reading = {**found.reading, "fast": float(fast.mean()), "taught": float(taught.mean())}
        if not _gains(taught - fast):
            why = f"it taught the ranker nothing on the newest window ({taught.mean():.4f} beside {fast.mean():.4f})"
            return replace(found, reading=reading, left_out={**found.left_out, "rank.teacher": why}), scores
        ranker = new_ranker("gbdt", settings).fit(RankingSet.join(graded), self.run)
        made = replace(found.choice, order="gbdt", ranker=ranker)
        told = [_scored(made, window) for window in past]
        curve = choose.calibrate(np.concatenate(told), np.concatenate([window.data.labels for window in past]))
        return replace(found, choice=replace(made, curve=curve), reading=reading), [_chance(own, curve), *scores[1:]]

    def _teachers(self, past: Sequence[Judged], scores: Sequence[F32], seconds: float) -> list[Ranker]:
        """Return who grades the people of each side: each learned from the people of the other, in older windows."""
        if (made := self._brought(self.config.teacher)) is not None:
            return [made, made]
        lists = [self._lists(window, score)[0] for window, score in zip(past[1:], scores[1:], strict=True)]
        whole = RankingSet.join(lists)
        sides = whole.query.user_rows % 2
        others, threads = [np.flatnonzero(sides != side) for side in (0, 1)], self.run.n_threads
        return [self._tuned(self.config.teacher, whole.take(own), seconds / 2, n_threads=threads) for own in others]

    def _graded(
        self, window: Judged, scores: F32, teachers: Sequence[Ranker], until: float, share: float
    ) -> RankingSet:
        """Return a window with the teacher's labels: lists with an answer first, as long as there is time."""
        labels = (window.data.labels * (1 - self.config.share)).astype(np.float32)
        people = _answered_first(window, self.run)
        sides = window.data.query.user_rows[people] % 2
        start = time.perf_counter()
        end = start + (until - start) * share
        for begin in range(0, len(people), 16):
            if begin and time.perf_counter() > end:
                break
            part, of_side = people[begin : begin + 16], sides[begin : begin + 16]
            for side, teacher in enumerate(teachers):
                own, at = self._lists(window, scores, part[of_side == side])
                if len(at):
                    labels[at] = teach(own, teacher, share=self.config.share, grades=self.config.grades).labels
        steps = np.rint(labels * self.config.grades) / self.config.grades
        return replace(window.data, labels=steps.astype(np.float32))

    # -- reading again --------------------------------------------------------------------------------------------

    def _read(self, found: Learned, past: Sequence[Judged], scores: list[F32]) -> tuple[Learned, list[F32]]:
        """Return what reads the first candidates again, where that gains on the newest window."""
        model = self._brought(self.config.cross)
        if model is None:
            lists = [self._lists(window, score)[0] for window, score in zip(past[1:], scores[1:], strict=True)]
            model = self._tuned(self.config.cross, RankingSet.join(lists), self.seconds / len(self._wanted))
        rereader = Rereader(model, candidates=self.config.candidates, budget_ms=np.inf, cost_ms=1e-6)
        judges = _judges(past[0])
        newest, own = choose.part(past[0], judges), scores[0][np.isin(past[0].items.segment_rows, judges)]
        fast, cross = newest.ndcg(own), self._reread(rereader, newest, own)
        reading = {"fast": float(fast.mean()), **found.reading, "cross": float(cross.mean())}
        reading["cross_ms"] = rereader.cost_ms
        rereader.budget_ms = self.config.cross_budget_ms
        found = replace(found, reading=reading)
        if _gains(cross - fast):
            return replace(found, rereader=rereader), scores
        why = f"it gains nothing on the newest window ({cross.mean():.4f} beside {fast.mean():.4f})"
        return replace(found, left_out={**found.left_out, "rank.cross": why}), scores

    def _reread(self, rereader: Rereader, window: Judged, chances: F32) -> F64:
        """Return NDCG@10 (P,) of lists that were read again, as an answer reads them; measures the cost on the way."""
        items = replace(window.items, fields={"label": window.data.labels}).with_scores(chances)
        rereader.cost_ms = self._cost_ms(rereader, window, items)
        ranked = rereader.reread(window.data.query, items, Trace())
        again = Judged(RankingSet(window.data.query, ranked, ranked.fields["label"]), window.n_targets)
        place = np.arange(len(ranked.item_rows)) - np.repeat(ranked.offsets[:-1], np.diff(ranked.offsets))
        return again.ndcg(-place.astype(np.float32))

    def _cost_ms(self, rereader: Rereader, window: Judged, items: Any) -> float:
        """Return the median milliseconds of one candidate where one person asks."""
        spent = []
        for person in range(min(len(items), 8)):
            query = window.data.query.take([person])
            start, end = items.offsets[person : person + 2].tolist()
            own = items.select(slice(start, end), np.array([0, end - start])).top(self.config.candidates)
            begin = time.perf_counter()
            rereader.model.score(query, own)
            spent.append(1000 * (time.perf_counter() - begin) / max(len(own.item_rows), 1))
        return float(np.median(spent)) if spent else 1.0

    # -- models ---------------------------------------------------------------------------------------------------

    def _lists(self, window: Judged, scores: F32, people: I64 | None = None) -> tuple[RankingSet, I64]:
        """Return the first candidates of each list in the fast order, and where each stands in the window."""
        places = np.arange(len(window.items.item_rows))
        data = replace(window.data, candidates=replace(window.items, scores=scores, fields={_AT: places}))
        data = data if people is None else data.take(people)
        ranked = data.candidates.with_scores(data.candidates.scores).top(self.config.candidates)
        at = ranked.fields[_AT]
        return RankingSet(data.query, replace(ranked, fields={}), window.data.labels[at]), at

    def _brought(self, source: str) -> CrossEncoder | None:
        """Return the cross encoder that a bundle holds, with this catalogue's texts; None where none is named."""
        if not (Path(source) / "manifest.json").is_file():
            return None
        from inkling.engine.bundle import Bundle

        state = Bundle.read(Path(source)).state
        if "cross" not in state.arrays:
            raise ConfigError(
                f"The bundle '{source}' holds no cross encoder.", hint="Fit one with rank.cross, or name a model."
            )
        return _onto(Rereader.load(state.settings["cross"], state.arrays["cross"], self.config).model, self.data)

    def _tuned(self, source: str, lists: RankingSet, seconds: float, *, n_threads: int = 1) -> CrossEncoder:
        """Return a language model after learning from the people whose answer is in their list."""
        settings = {"n_threads": n_threads, **self.config.settings, "source": source, "top": 0, "max_seconds": seconds}
        model = _onto(CrossEncoder(parse(CrossEncoderConfig, settings, where="rank.settings")), self.data)
        answered = np.bincount(lists.candidates.segment_rows, lists.labels, len(lists.candidates)) > 0
        return model.fit(lists.take(np.flatnonzero(answered)), self.run)


def _onto(model: CrossEncoder, data: Dataset) -> CrossEncoder:
    shelve(model, data)
    return model


def _scored(choice: Choice, window: Judged) -> F32:
    query, items = window.data.query, window.items
    return (
        choose.fused(query, items, choice.weights)
        if choice.ranker is None
        else flat_scores(choice.ranker, query, items)
    )


def _chance(scores: F32, curve: tuple[float, float]) -> F32:
    """Return what an answer hands on to who reads it again: chances, which rise with the scores."""
    chance: F32 = (1 / (1 + np.exp(-(curve[0] * scores + curve[1])))).astype(np.float32)
    return chance


def _gains(each: F64) -> bool:
    """Tell whether people gain, beyond half a standard error."""
    return bool(len(each)) and float(each.mean()) > 1e-5 + _ERRORS * float(each.std()) / float(np.sqrt(len(each)))


def _answered_first(window: Judged, run: Run) -> I64:
    """Return the people in an order drawn at random, those whose answer is among their candidates first."""
    order = run.rng("graded").permutation(len(window.items))
    found = np.bincount(window.items.segment_rows, window.data.labels, len(window.items)) > 0
    return np.concatenate([order[found[order]], order[~found[order]]])


def _judges(window: Judged) -> I64:
    """Return who judges: all, or so many that are evenly spread."""
    n = len(window.items)
    return np.arange(n) if n <= _JUDGES else np.linspace(0, n - 1, _JUDGES).astype(np.int64)
