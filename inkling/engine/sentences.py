"""Whoever is known by one sentence about themselves: what people take of whom the same could be said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.run import Run
from inkling.engine.naming import named_in, titles_of
from inkling.kernels.topk import topk
from inkling.language.detect import detect
from inkling.language.profiles import Notes, Profiler, person_sentence

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ABOUT = "about"
"""Name of the vectors of people's own sentences in a question, beside those of what they ask."""
LEAST, LEAST_EVENTS, MOST_ITEMS = 50, 4, 50_000
"""People to learn from at least; events that each needs; items beyond which profiles would take minutes."""
_DAMPING = (1.0, 3.0, 10.0, 30.0, 100.0)
_K = 10
_NAMED = np.float32(1.0)  # what is named, beside the rest of the sentence: by movielens-small's validation part

Read = Callable[[Sequence[str]], F32]
Near = Callable[[Query], F32]


@dataclass(frozen=True, eq=False)
class Sentences:
    """Kernel ridge regression from sentences to what people took (Cristianini and Shawe-Taylor 2004), and titles.

    The sentences that are learned from are written from people's own profiles (``language/profiles``), without their
    last choice, which tells how far a sentence may be trusted: with much damping all that is left is the mean, which is
    popularity among these people. Titles that a sentence names count as things that the person likes.
    """

    weights: F32  # (dim, P) from a sentence's vector to people's shares
    mean: F32  # (dim,) of the sentences
    taken: csr_array  # (P, n_items) what each person took; each divided by the root of how many
    usual: F32  # (n_items,) mean of ``taken``
    titles: dict[str, int]  # words of a title -> item row
    damping: float
    ndcg: float
    """NDCG@10 of the held-out choices of people whose sentence was left out in turn."""

    @classmethod
    def fit(cls, data: Dataset, read: Read, run: Run, *, n_people: int = 500) -> Self:
        """Write the sentences of at most ``n_people`` and learn from them.

        Raises:
            DataError: There are too few people, or too many items.
        """
        if data.n_items > MOST_ITEMS:
            raise DataError(f"{data.n_items:,} items are too many to write sentences about, at most {MOST_ITEMS:,}.")
        people, targets, known = _without_last(data, n_people, run)
        if len(people) < LEAST:
            raise DataError(f"{len(people)} people have {LEAST_EVENTS} choices and more, it begins at {LEAST}.")
        said = _sentences(known, people)
        vectors = read(said).astype(np.float32)
        taken = _rows(known, people)
        mean, usual = vectors.mean(axis=0), np.asarray(taken.mean(axis=0), np.float32).ravel()
        centred = vectors - mean
        damping, ndcg = _best(centred, taken, usual, targets)
        inverse = np.linalg.inv(centred @ centred.T + damping * np.eye(len(people), dtype=np.float32))
        weights = (centred.T @ inverse).astype(np.float32)
        return cls(weights, mean, taken, usual, titles_of(data), damping, ndcg)

    def scores(self, query: Query, said: F32, near: Near | None = None) -> F32:
        """Return (B, n_items): 0 for whom no sentence is known.

        Args:
            query: The question; its texts are the sentences.
            said: (B, dim) their vectors, zero where there is none.
            near: What scores items by a history, for those that a sentence names.
        """
        shares = (said - self.mean) @ self.weights
        found = np.asarray(shares @ self.taken, np.float32) + (1 - shares.sum(axis=1, keepdims=True)) * self.usual
        out = np.zeros((len(query), query.n_items), np.float32)
        width = min(query.n_items, found.shape[1])
        out[:, :width] = _to_one(found[:, :width])
        if near is not None:
            out += _NAMED * self._beside(query, near)
        return np.where(np.asarray(said.any(axis=1))[:, None], _to_one(out), np.float32(0))

    def named(self, query: Query) -> list[I32]:
        """Return the items that each person's sentence names by their titles."""
        texts = query.texts or ("",) * len(query)
        rows = [[row for row in named_in(text or "", self.titles) if row < query.n_items] for text in texts]
        return [np.array(one, np.int32) for one in rows]

    def _beside(self, query: Query, near: Near) -> F32:
        lists = self.named(query)
        if not any(map(len, lists)):
            return np.zeros((len(query), query.n_items), np.float32)
        items = Jagged.from_lists(lists)
        now = np.repeat(query.now, np.diff(items.offsets))
        liked = History.of_items(items, ts=now)
        return _to_one(near(replace(query, history=liked, texts=(), text_vectors={})))

    def instead(self, query: Query, items: Candidates, *, k: int, near: Near | None = None) -> Candidates:
        """Return candidates in which those of people known by a sentence alone are the best by that sentence."""
        said = query.text_vectors.get(ABOUT)
        if said is None:
            return items
        only = [
            person
            for person in range(len(query))
            if said[person].any() and not (query.history.weights[_own(query, person)] > 0).any()
        ]
        if not only:
            return items
        asked = query.take(only)
        scores, named = self.scores(asked, said[only], near), self.named(asked)
        found = {}
        for place, person in enumerate(only):
            mask = _open_to(query, person)
            mask[named[place]] = False  # they know it
            found[person] = topk(scores[place], k, mask=mask & (scores[place] > 0))
        return _with_lists(items, found)

    def state(self) -> Mapping[str, Array]:
        """Return all that was learned."""
        titles = np.frombuffer(msgspec.json.encode(self.titles), np.uint8)
        return {
            "weights": self.weights, "mean": self.mean, "usual": self.usual, "titles": titles,
            "data": self.taken.data, "indices": self.taken.indices, "indptr": self.taken.indptr,
            "found": np.array([self.damping, self.ndcg]),
        }  # fmt: skip

    @classmethod
    def load(cls, state: Mapping[str, Array]) -> Self:
        """Take back what :meth:`state` returned."""
        from scipy.sparse import csr_array

        parts = tuple(np.array(state[name]) for name in ("data", "indices", "indptr"))
        usual, (damping, ndcg) = np.array(state["usual"]), np.array(state["found"]).tolist()
        taken = csr_array(parts, shape=(len(parts[2]) - 1, len(usual)))
        titles = msgspec.json.decode(np.array(state["titles"]).tobytes(), type=dict[str, int])
        return cls(np.array(state["weights"]), np.array(state["mean"]), taken, usual, titles, damping, ndcg)


def _without_last(data: Dataset, n: int, run: Run) -> tuple[I32, I32, Dataset]:
    """Return people (P,), the last thing that each took (P,), and the data without these events."""
    events = data.interactions
    at = np.flatnonzero(events.positive & (events.user_rows >= 0) & (events.item_rows >= 0))
    counts = np.bincount(events.user_rows[at], minlength=data.n_users)
    last = np.full(data.n_users, -1, np.int64)
    last[events.user_rows[at]] = at  # later positions overwrite earlier ones
    able = np.flatnonzero(counts >= LEAST_EVENTS)
    people = np.sort(run.rng("sentences").permutation(able)[:n]).astype(np.int32)
    held = np.zeros(len(events), np.bool_)
    held[last[people]] = True
    return people, events.item_rows[last[people]], replace(data, interactions=events.select(~held))


def _sentences(data: Dataset, people: I32) -> list[str]:
    """Return each person's sentence, in the language of the catalogue."""
    some = " ".join(data.items.texts()[:200])
    language = "zh" if detect(some).language == "zh" else "en"
    profiler = Profiler(data, Notes())
    return [person_sentence(profiler.person(row), language) for row in people.tolist()]


def _rows(data: Dataset, people: I32) -> csr_array:
    """Return (P, n_items) what people took, each divided by the root of how much it is."""
    from scipy.sparse import csr_array

    events = data.interactions
    place = np.full(data.n_users, -1, np.int64)
    place[people] = np.arange(len(people))
    kept = np.flatnonzero(events.positive & (events.user_rows >= 0) & (events.item_rows >= 0))
    kept = kept[place[events.user_rows[kept]] >= 0]
    cells = np.unique(place[events.user_rows[kept]] * data.n_items + events.item_rows[kept])
    rows = cells // data.n_items
    values = (1 / np.sqrt(np.bincount(rows, minlength=len(people))[rows])).astype(np.float32)
    return csr_array((values, (rows, cells % data.n_items)), shape=(len(people), data.n_items))


def _best(vectors: F32, taken: csr_array, usual: F32, targets: I32) -> tuple[float, float]:
    """Return the damping with the best NDCG@10 of the targets, each person's own sentence left out, and that number."""
    kernel = vectors @ vectors.T
    values, vectors_of = np.linalg.eigh(kernel.astype(np.float64))
    had = taken.toarray() > 0
    best = (_DAMPING[-1], -1.0)
    for damping in _DAMPING:
        smoother = (vectors_of * (values / (values + damping))) @ vectors_of.T
        own = np.diag(smoother).copy()
        np.fill_diagonal(smoother, 0)
        shares = (smoother / np.maximum(1 - own, 1e-6)[:, None]).astype(np.float32)
        found = np.asarray(shares @ taken, np.float32) + (1 - shares.sum(axis=1, keepdims=True)) * usual
        found[had] = -np.inf
        own_scores = found[np.arange(len(targets)), targets][:, None]
        ranks = (found > own_scores).sum(axis=1) + ((found == own_scores).sum(axis=1) - 1) / 2
        ranks = np.where(had[np.arange(len(targets)), targets], np.inf, ranks)
        ndcg = float(np.where(ranks < _K, 1 / np.log2(ranks + 2.0), 0.0).mean())
        best = max(best, (damping, ndcg), key=lambda one: one[1])
    return best


def _to_one(scores: F32) -> F32:
    """Return what is above 0 in shares of each row's best."""
    kept: F32 = np.maximum(scores, np.float32(0)).astype(np.float32, copy=False)
    best = kept.max(axis=1, keepdims=True, initial=0)
    return np.asarray(kept / np.where(best > 0, best, 1), np.float32)


def _own(query: Query, person: int) -> slice:
    return slice(int(query.history.offsets[person]), int(query.history.offsets[person + 1]))


def _open_to(query: Query, person: int) -> Bool:
    """Return (n_items,) what may be answered to one person."""
    mask = np.ones(query.n_items, np.bool_) if query.allowed is None else query.allowed.copy()
    if query.candidates is not None:
        among = np.zeros(query.n_items, np.bool_)
        among[query.candidates[person]] = True
        mask &= among
    if query.exclude is not None:
        rows = query.exclude[person]
        mask[rows[(rows >= 0) & (rows < query.n_items)]] = False
    return mask


def _with_lists(items: Candidates, found: Mapping[int, tuple[I32, F32]]) -> Candidates:
    """Return candidates in which some people have other lists, whose source is the text."""
    names = (*items.source_names, "text")
    rows, scores, sources, lengths = [], [], [], [0]
    for person in range(len(items)):
        own = slice(int(items.offsets[person]), int(items.offsets[person + 1]))
        mine = found.get(person, (items.item_rows[own], items.scores[own]))
        rows.append(mine[0])
        scores.append(mine[1])
        by_text = np.full(len(mine[0]), len(names) - 1, np.int8)
        sources.append(by_text if person in found else items.sources[own])
        lengths.append(len(mine[0]))
    offsets = np.cumsum(lengths).astype(np.int64)
    whole: tuple[Any, ...] = tuple(np.concatenate(part) for part in (rows, scores, sources))
    return Candidates(offsets, whole[0].astype(np.int32), whole[1].astype(np.float32), whole[2], names)
