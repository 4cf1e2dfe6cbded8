"""Two or three questions that tell most of a new person; the answers become the history that models answer from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array, Bool
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError, RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import History
from inkling.core.run import Run
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._matrix import people_by_items, signals

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NONE = -1
"""The answer that none of the options fits."""
_DIM = 16
_PEOPLE = 3000
_LEAST = 8
_TEXTS = {
    "en": ("Which of these would you choose?", "And which of these?", "None of these"),
    "zh": ("下面这些里，你会选哪一组？", "那么这些里呢？", "都不是"),
}
_JOIN = {"en": ", ", "zh": "、"}


class OnboardingConfig(Config, frozen=True, kw_only=True):
    """How people are asked."""

    questions: Annotated[int, msgspec.Meta(ge=1, le=4)] = 3
    """So many, one after another; each depends on the answers before it."""
    options: Annotated[int, msgspec.Meta(ge=2, le=8)] = 4
    """Options of a question, beside none of them."""
    shown: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    """Items that each option shows."""
    items: Annotated[int, msgspec.Meta(ge=4)] = 150
    """Only so many of the most popular items are shown: people must know them."""


class Option(msgspec.Struct, frozen=True):
    """One answer that can be given."""

    item_rows: tuple[int, ...]
    label: str


class Question(msgspec.Struct, frozen=True):
    """What is asked next; the answer is the position of an option, or -1."""

    text: str
    options: tuple[Option, ...]
    none: str
    """How the answer -1 is put."""


@dataclass(frozen=True, eq=False)
class Onboarding:
    """A tree of questions, chosen greedily so that answers tell people's tastes apart (Golbandi et al. 2011).

    Options are groups of popular items that the same people take. Of all groups those are shown after which the people
    who would give the same answer are most alike: the largest share of the variance of people's collaborative vectors
    lies between answers. ``groups`` maps the answers so far to the options' items; where few people are left, or
    nothing tells them apart, no more is asked.
    """

    groups: Mapping[tuple[int, ...], I32]  # answers so far -> (options, shown) item rows
    titles: tuple[str, ...]  # of the vocabulary's items
    explained: Mapping[tuple[int, ...], float]  # answers so far -> share of variance that the question explains

    @classmethod
    def fit(cls, data: Dataset, run: Run, config: OnboardingConfig | None = None) -> Onboarding:
        """Choose the questions.

        Raises:
            DataError: The data has no positive event.
        """
        chosen = config or OnboardingConfig()
        crowd = _Crowd.of(data, run, chosen)
        groups: dict[tuple[int, ...], I32] = {}
        explained: dict[tuple[int, ...], float] = {}
        left: dict[tuple[int, ...], I64] = {(): np.arange(crowd.had.shape[0])}
        for depth in range(chosen.questions):
            for answers in [key for key in left if len(key) == depth]:
                people = left.pop(answers)
                asked = _shown_before(groups, answers)
                found, share = crowd.best(people, asked, chosen) if len(people) >= _LEAST else (crowd.nothing, 0.0)
                if len(found) < 2:
                    continue
                groups[answers], explained[answers] = crowd.items[found], share
                replies = crowd.replies(people, found)
                left |= {(*answers, reply): people[replies == reply] for reply in range(NONE, len(found))}
        return cls(groups, _titles_of(data), explained)

    def ask(self, answers: Sequence[int] = (), *, language: str = "en") -> Question | None:
        """Return the question that follows ``answers``; None where no more is asked.

        Raises:
            RequestError: An answer is none of the options that were shown.
        """
        self._check(answers)
        rows = self.groups.get(tuple(answers))
        if rows is None:
            return None
        first, further, none = _TEXTS["zh" if language.startswith("zh") else "en"]
        join = _JOIN["zh" if language.startswith("zh") else "en"]
        options = [
            Option(tuple(group), join.join(self.titles[row] for row in group if row < len(self.titles)))
            for group in rows.tolist()
        ]
        return Question(further if answers else first, tuple(options), none)

    def item_rows(self, answers: Sequence[int]) -> I32:
        """Return the items of the chosen options, in the order of the answers.

        Raises:
            RequestError: An answer is none of the options that were shown.
        """
        self._check(answers)
        chosen = [self.groups[tuple(answers[:i])][answer] for i, answer in enumerate(answers) if answer != NONE]
        return np.concatenate(chosen).astype(np.int32) if chosen else np.empty(0, np.int32)

    def history(self, answers: Sequence[Sequence[int]], *, now: int) -> History:
        """Return what people's answers are worth as histories: the items of what they chose, each a session of its own.

        Args:
            answers: One person's after another's.
            now: When they were given.
        """
        rows = Jagged.from_lists([self.item_rows(one) for one in answers])
        return History.of_items(rows, ts=np.full(len(rows.values), now, np.int64))

    def answer(self, had: Sequence[int] | I32, *, questions: int) -> tuple[int, ...]:
        """Return what a person who ``had`` these items would answer: the option of which they had most, else none."""
        own = np.asarray(had)
        answers: tuple[int, ...] = ()
        for _ in range(questions):
            rows = self.groups.get(answers)
            if rows is None:
                break
            hits = np.isin(rows, own).sum(axis=1)
            answers = (*answers, int(hits.argmax()) if hits.max() else NONE)
        return answers

    def _check(self, answers: Sequence[int]) -> None:
        for place, answer in enumerate(answers):
            rows = self.groups.get(tuple(answers[:place]))
            if rows is None or not NONE <= answer < len(rows):
                n = 0 if rows is None else len(rows)
                raise RequestError(
                    f"Answer {place + 1} is {answer}, but that question has {n} options.",
                    hint="Answer with an option's position from 0, or -1 for none of them.",
                )

    def to_arrays(self) -> dict[str, Array]:
        """Return the questions as one JSON text in bytes."""
        told = [[list(key), rows.tolist(), self.explained[key]] for key, rows in self.groups.items()]
        text = msgspec.json.encode({"groups": told, "titles": self._titles()})
        return {"onboarding": np.frombuffer(text, np.uint8)}

    def _titles(self) -> dict[str, str]:
        rows = {row for group in self.groups.values() for row in group.ravel().tolist()}
        return {str(row): self.titles[row] for row in sorted(rows) if row < len(self.titles)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Onboarding:
        """Build from what :meth:`to_arrays` returned."""
        found: Any = msgspec.json.decode(np.asarray(arrays["onboarding"], np.uint8).tobytes())
        titles = [""] * (1 + max(map(int, found["titles"]), default=-1))
        for row, title in found["titles"].items():
            titles[int(row)] = title
        groups = {tuple(key): np.array(rows, np.int32) for key, rows, _ in found["groups"]}
        return cls(groups, tuple(titles), {tuple(key): share for key, _, share in found["groups"]})


def _titles_of(data: Dataset) -> tuple[str, ...]:
    """Return what items are called: their titles, or their ids where they have none."""
    ids = list(data.item_ids)
    if "title" not in data.items.frame.columns:
        return tuple(ids)
    return tuple(str(title or own) for title, own in zip(data.items.frame["title"].to_list(), ids, strict=True))


def _shown_before(groups: Mapping[tuple[int, ...], I32], answers: tuple[int, ...]) -> I32:
    """Return all items that were shown on the way to ``answers``."""
    rows = [groups[answers[:depth]].ravel() for depth in range(len(answers))]
    return np.concatenate(rows) if rows else np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class _Crowd:
    """People of the training part, what of the popular items each had, and their collaborative vectors."""

    had: Bool  # (P, M)
    vectors: F64  # (P, e)
    items: I32  # (M,) item rows, the most popular first
    near: I64  # (M, shown) each popular item with those that the same people take, by position

    @property
    def nothing(self) -> I64:
        """Return no option."""
        return self.near[:0]

    @classmethod
    def of(cls, data: Dataset, run: Run, config: OnboardingConfig) -> _Crowd:
        events = signals(data, name="onboarding")
        if not (events.user_rows >= 0).any():
            raise DataError("Questions cannot be chosen: no event has a person.", hint="Name people in the events.")
        matrix = people_by_items(events, np.ones(len(events)), (data.n_users, data.n_items), signal="binary")
        active = np.flatnonzero(np.diff(matrix.indptr) > 0)
        drawn = np.sort(run.rng("onboarding").permutation(active)[:_PEOPLE])
        matrix = matrix[drawn]
        counts = np.asarray(matrix.sum(axis=0)).ravel()
        items = np.argsort(-counts, kind="stable")[: min(config.items, int((counts > 0).sum()))].astype(np.int32)
        people, places = _vectors(matrix, items, run)
        near = np.argsort(-(places @ places.T) - np.eye(len(items), dtype=np.float32) * 9, axis=1, kind="stable")
        return cls(matrix[:, items].toarray() > 0, people, items, near[:, : min(config.shown, len(items))])

    def replies(self, people: I64, options: I64) -> I64:
        """Return what each of ``people`` would answer: the option (K, shown) of which they had most, or none."""
        hits = np.stack([self.had[np.ix_(people, group)].sum(axis=1) for group in options], axis=1)
        return np.where(hits.max(axis=1) > 0, hits.argmax(axis=1), NONE)

    def best(self, people: I64, asked: I32, config: OnboardingConfig) -> tuple[I64, float]:
        """Return the options that tell ``people`` apart most, added one by one, and the share of variance explained."""
        free = np.flatnonzero(~np.isin(self.items, asked)[self.near].any(axis=1))
        vectors = self.vectors[people] - self.vectors[people].mean(axis=0)
        whole = float((vectors**2).sum())
        chosen, share = self.nothing, 0.0
        hits = {group: self.had[np.ix_(people, self.near[group])].sum(axis=1) for group in free.tolist()}
        most, reply = np.zeros(len(people), np.int64), np.full(len(people), NONE)
        while len(chosen) < config.options and whole > 0:
            taken = set(chosen.ravel().tolist())
            gains = {
                group: _between(vectors, np.where(own > most, len(chosen), reply)) / whole
                for group, own in hits.items()
                if taken.isdisjoint(self.near[group].tolist())
            }
            best = max(gains, key=lambda group: (gains[group], -group), default=NONE)
            # A question needs two options, even where one and "none of these" would tell as much.
            if best == NONE or (gains[best] <= share + 1e-9 and len(chosen) > 1):
                break
            reply = np.where(hits[best] > most, len(chosen), reply)
            most = np.maximum(most, hits[best])
            chosen, share = np.concatenate([chosen, self.near[best : best + 1]]), gains[best]
        return chosen, share


def _between(vectors: F64, replies: I64) -> float:
    """Return how much of the squared length of centred vectors (P, e) lies between those with different replies."""
    own = replies - NONE
    counts = np.bincount(own)
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, own, vectors)
    return float(((sums**2).sum(axis=1) / np.maximum(counts, 1)).sum())


def _vectors(matrix: csr_array, items: I32, run: Run) -> tuple[F64, F32]:
    """Return vectors of people (P, e), and of ``items`` (M, e) of length one: a truncated SVD of who had what."""
    from scipy.sparse.linalg import svds

    k = min(_DIM, min(matrix.shape) - 1)
    if k < 1:
        return np.ones((matrix.shape[0], 1)), np.ones((len(items), 1), np.float32)
    start = run.rng("onboarding", "svd").standard_normal(min(matrix.shape))
    left, strengths, right = svds(matrix.astype(np.float64), k=k, v0=start)
    return left * strengths, normalize_rows((right[:, items] * strengths[:, None]).T.astype(np.float32))
