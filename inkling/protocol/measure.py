"""Score anything that answers questions: a callable in, a number for each person out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from inkling import metrics
from inkling.core.arrays import F32, F64, I32, I64, Bool
from inkling.core.candidates import Candidates
from inkling.core.errors import ProtocolError
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.metrics.catalog import parse
from inkling.protocol.fold import Fold, Group

Recommend: TypeAlias = Callable[[Query, int], Candidates]


@dataclass(frozen=True, slots=True, eq=False)
class GroupScores:
    """What a group scored: G people (under replay and pooled cuts a person may stand in several places)."""

    user_rows: I32  # (G,)
    values: Mapping[str, F64]  # metric -> (G,)

    def __len__(self) -> int:
        return len(self.user_rows)

    def mean(self, name: str) -> float:
        """Return the mean over the group, NaN where it is empty."""
        return float(self.values[name].mean()) if len(self) else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What one model answered on one fold, and what that was worth."""

    fold: Fold
    recommended: I32  # (P, k) padded with -1
    scores: F32  # (P, k) NaN where padded
    groups: Mapping[str, GroupScores]
    predict_s: float

    def value(self, name: str, *, group: str = "warm") -> float:
        """Return the mean of a metric over a group, NaN where the group is empty or absent."""
        return self.groups[group].mean(name) if group in self.groups else float("nan")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds for an answer to one person."""

    p50: float
    p99: float
    n: int


def measure(fold: Fold, recommend: Recommend, names: Sequence[str] = ("ndcg@10",), *, batch: int = 256) -> Result:
    """Ask for everyone in a fold, check the answers and score them.

    Args:
        fold: Who is asked and what would have been right.
        recommend: The model; called with up to ``batch`` people and the largest k of ``names``.
        names: Metrics, such as ``ndcg@10``.
        batch: How many people a question holds.

    Raises:
        ProtocolError: An answer names an item twice, one that may not be recommended, or more than k.
    """
    k = largest_k(names)
    recommended = np.full((len(fold), k), -1, dtype=np.int32)
    scores = np.full((len(fold), k), np.nan, dtype=np.float32)
    spent = 0.0
    for start, stop in fold.batches(batch):
        query = fold.query(np.arange(start, stop))
        begin = time.perf_counter()
        answer = recommend(query, k)
        spent += time.perf_counter() - begin
        check_answer(query, answer, k)
        place(answer, recommended[start:stop], scores[start:stop])
    return score(fold, recommended, scores, names, predict_s=spent)


def score(fold: Fold, recommended: I32, scores: F32, names: Sequence[str], *, predict_s: float) -> Result:
    """Return what the padded answers (P, k) to a fold were worth, group by group."""
    groups = {name: score_group(fold, group, recommended, names) for name, group in fold.groups.items()}
    return Result(fold, recommended, scores, groups, predict_s)


def largest_k(names: Sequence[str]) -> int:
    """Return how many items must be asked for to measure ``names``.

    Raises:
        ConfigError: A name is not a metric.
    """
    return max(parse(name)[1] for name in names)


def score_group(fold: Fold, group: Group, recommended: I32, names: Sequence[str]) -> GroupScores:
    """Return what the answers (P, k) of a fold are worth to one of its groups."""
    values = metrics.compute(names, recommended[group.people], group.targets)
    return GroupScores(fold.user_rows[group.people], values)


def place(answer: Candidates, recommended: I32, scores: F32) -> None:
    """Write B jagged answers into the padded arrays (B, k) and (B, k)."""
    rank = np.arange(len(answer.item_rows)) - np.repeat(answer.offsets[:-1], np.diff(answer.offsets))
    recommended[answer.segment_rows, rank] = answer.item_rows
    scores[answer.segment_rows, rank] = answer.scores


def check_answer(query: Query, answer: Candidates, k: int) -> None:
    """Check that an answer is one to the question.

    Raises:
        ProtocolError: It holds other people, more than k items, an item twice, or one that may not be recommended.
    """
    if len(answer) != len(query):
        raise ProtocolError(f"{len(query)} people were asked for, the model answered for {len(answer)}.")
    longest = int(np.diff(answer.offsets).max(initial=0))
    if longest > k:
        raise ProtocolError(f"{k} items were asked for, the model answered {longest}.")
    rows, owners = answer.item_rows, answer.segment_rows
    if len(rows) and not (rows.min() >= 0 and rows.max() < query.n_items):
        raise ProtocolError(f"The model answered an item row outside 0 to {query.n_items - 1}.")
    keys = owners * query.n_items + rows
    if len(np.unique(keys)) < len(keys):
        raise ProtocolError("The model answered an item twice to one person.")
    forbidden = _forbidden(query, rows, keys)
    if forbidden.any():
        first = int(np.flatnonzero(forbidden)[0])
        raise ProtocolError(
            f"Item row {rows[first]}, answered to person {owners[first]} of the batch, may not be recommended.",
            hint="A model honours the query's allowed, candidates and exclude.",
        )


def _forbidden(query: Query, rows: I32, keys: I64) -> Bool:
    wrong = np.zeros(len(rows), dtype=np.bool_)
    if query.allowed is not None:
        wrong |= ~query.allowed[rows]
    if query.candidates is not None:
        wrong |= ~np.isin(keys, _keys(query.candidates, query.n_items))
    if query.exclude is not None:
        wrong |= np.isin(keys, _keys(query.exclude, query.n_items))
    return wrong


def _keys(lists: Jagged, n_items: int) -> I64:
    return np.repeat(np.arange(len(lists), dtype=np.int64), np.diff(lists.offsets)) * n_items + lists.values


def latency(fold: Fold, recommend: Recommend, *, k: int = 10, sample: int = 200, seed: int = 0) -> Latency:
    """Time answers to single people of a fold, drawn at random; the caller sees to it that one thread is used."""
    if not len(fold):
        return Latency(float("nan"), float("nan"), 0)
    chosen = np.random.default_rng(seed).permutation(len(fold))[:sample]
    queries = [fold.query(np.array([position])) for position in chosen]
    recommend(queries[0], k)
    spent = np.empty(len(queries))
    for index, query in enumerate(queries):
        begin = time.perf_counter()
        recommend(query, k)
        spent[index] = time.perf_counter() - begin
    p50, p99 = np.percentile(spent * 1000.0, [50, 99])
    return Latency(float(p50), float(p99), len(queries))
