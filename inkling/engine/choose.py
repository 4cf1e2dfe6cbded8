"""Choosing by validation: the weights of a fusion, and whether a ranker earns its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import F32, F64, I64
from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.engine.recall import OPINION
from inkling.engine.weights import BOUNDS, Weights, power
from inkling.kernels.jagged import segment_rank
from inkling.ranking.base import RankingSet

K = 10
_TIE = 1e-4
_STEPS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_GROUP = 50  # people of one length of history who may speak for it


@dataclass(frozen=True, slots=True)
class Judged:
    """One window's candidates, labelled, with each person's number of targets (found or not)."""

    data: RankingSet
    n_targets: I64  # (P,)

    @property
    def items(self) -> Candidates:
        """Return the candidates."""
        return self.data.candidates

    def ndcg(self, scores: F32) -> F64:
        """Return NDCG@10 (P,) of the candidates in the order of ``scores``; targets that recall missed are misses."""
        ranks = segment_rank(self.items.offsets, scores)
        gain = np.where(ranks < K, self.data.labels / np.log2(ranks + 2.0), 0.0)
        found = np.bincount(self.items.segment_rows, weights=gain, minlength=len(self.items))
        ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(K) + 2.0))])[np.minimum(self.n_targets, K)]
        each: F64 = np.divide(found, ideal, out=np.zeros(len(found)), where=ideal > 0)
        return each


def judged(data: RankingSet, targets: Jagged) -> Judged:
    """Return labelled candidates beside the number of targets of each person."""
    return Judged(data, np.diff(targets.offsets))


def mean_ndcg(windows: Sequence[Judged], scores: Sequence[F32]) -> float:
    """Return NDCG@10 pooled over the people of several windows."""
    each = [window.ndcg(score) for window, score in zip(windows, scores, strict=True)]
    pooled = np.concatenate(each) if each else np.zeros(1)
    return float(pooled.mean()) if len(pooled) else 0.0


def fused(query: Query, items: Candidates, weights: Mapping[str, float]) -> F32:
    """Return the weighted sum (N,) of the members' opinions; ties go by all opinions, as in an answer."""
    names = [name for name in items.fields if name.startswith(OPINION)]
    lengths = np.diff(query.history.offsets)
    powers = power(weights, [name.removeprefix(OPINION) for name in names], lengths) + np.float32(_TIE)
    total = np.zeros(len(items.item_rows), dtype=np.float32)
    for slot, name in enumerate(names):
        total += (powers[0, slot] if len(powers) == 1 else powers[:, slot].take(items.segment_rows)) * items.fields[
            name
        ]
    return total


def alone(items: Candidates, weights: Mapping[str, float]) -> F32:
    """Return the weighted sum (N,) of some opinions and nothing else; ties go by a hash of the item."""
    total = (items.item_rows.astype(np.int64) * 2654435761 % 1_000_003).astype(np.float32) * np.float32(1e-10)
    for name, weight in weights.items():
        if weight and OPINION + name in items.fields:
            total += np.float32(weight) * items.fields[OPINION + name]
    return total


def fusion_weights(windows: Sequence[Judged], names: Sequence[str], *, rounds: int = 2) -> dict[str, float]:
    """Return the weights of the members that order the windows best: coordinate ascent from the best single member.

    A step is taken only where people gain by it beyond half its standard error, so that weights do not follow noise.
    """
    singly = {name: _values(windows, {name: 1.0}) for name in names}
    order = sorted(names, key=lambda name: -singly[name].mean())
    if not order:
        return {}
    return _ascent(windows, {name: float(name == order[0]) for name in names}, order, rounds=rounds)


def weights_by_length(windows: Sequence[Judged], names: Sequence[str]) -> Weights:
    """Return the weights of everyone, and what each length of history gains by beside them.

    A group's weights begin as everyone's, and move by the same rule on its own people; a group of fewer than 50 people
    keeps everyone's.
    """
    everyone = fusion_weights(windows, names)
    order = sorted(names, key=lambda name: -everyone[name])
    groups = []
    for group in range(len(BOUNDS) + 1):
        own = [_of_length(window, group) for window in windows]
        enough = sum(len(window.items) for window in own) >= _GROUP
        groups.append(_ascent(own, everyone, order, rounds=1, errors=1.0) if enough and len(names) > 1 else everyone)
    return Weights(everyone, tuple(groups) if any(one != everyone for one in groups) else ())


def _of_length(window: Judged, group: int) -> Judged:
    lengths = np.diff(window.data.query.history.offsets)
    return part(window, np.flatnonzero(np.searchsorted(BOUNDS, lengths, side="right") == group))


def _ascent(
    windows: Sequence[Judged], start: Mapping[str, float], order: Sequence[str], *, rounds: int, errors: float = 0.5
) -> dict[str, float]:
    """Move one weight at a time, as long as people gain by it beyond so many standard errors."""
    weights, best = dict(start), _values(windows, start)
    for _ in range(rounds):
        changed = False
        for name in order:
            for step in _STEPS:
                tried = {**weights, name: step}
                if step == weights[name] or not any(tried.values()):
                    continue
                gain = (values := _values(windows, tried)) - best
                if gain.mean() > 1e-5 + errors * gain.std() / np.sqrt(len(gain)):
                    weights, best, changed = tried, values, True
        if not changed:
            break
    return weights


def _values(windows: Sequence[Judged], weights: Mapping[str, float]) -> F64:
    each = [window.ndcg(alone(window.items, weights)) for window in windows]
    return np.concatenate(each) if each else np.zeros(1)


def pooled(windows: Sequence[Judged]) -> RankingSet:
    """Return several windows as one set."""
    return RankingSet.join([window.data for window in windows])


def part(window: Judged, people: I64) -> Judged:
    """Return some people of a window."""
    return Judged(window.data.take(people), window.n_targets[people])


def thin(windows: Sequence[Judged], n_people: int = 250) -> list[Judged]:
    """Return at most so many people of each window, evenly spread: enough to weigh a handful of members."""
    return [part(window, _spread(len(window.items), n_people)) for window in windows]


def _spread(n: int, wanted: int) -> I64:
    return np.arange(n) if n <= wanted else np.linspace(0, n - 1, wanted).astype(np.int64)


def mean_alone(windows: Sequence[Judged], weights: Mapping[str, float]) -> float:
    """Return NDCG@10 pooled over windows, ordered by the weighted sum of some opinions and nothing else."""
    return float(_values(windows, weights).mean())


def calibrate(scores: F32, labels: F32) -> tuple[float, float]:
    """Return slope and intercept of a rising logistic curve from scores to probabilities.

    Platt (1999) with his smoothed targets, so that it is well defined where all labels are the same or the scores
    tell them apart without an error; by Newton's method with halved steps (Lin, Lin and Weng 2007).
    """
    spread = max(float(scores.std()), 1e-3 * float(np.abs(scores).max(initial=0))) or 1.0  # rounding is no spread
    x = np.stack([(scores - scores.mean()) / spread, np.ones(len(scores))]).astype(np.float64)
    n_yes, n_no = float((labels > 0).sum()), float((labels <= 0).sum())
    wanted = np.where(labels > 0, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))
    theta = np.array([0.0, np.log((n_yes + 1) / (n_no + 1))])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(theta @ x)))
        hessian = (x * (p * (1 - p))) @ x.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, x @ (wanted - p))
        here = _log_loss(theta, x, wanted)
        while np.abs(step).max() > 1e-9 and _log_loss(theta + step, x, wanted) > here:
            step /= 2
        theta = theta + step
        if np.abs(step).max() < 1e-6:
            break
    slope = max(float(theta[0]), 1e-3) / spread
    return slope, float(theta[1]) - slope * float(scores.mean())


def _log_loss(theta: F64, x: F64, wanted: F64) -> float:
    odds = theta @ x
    return float((np.logaddexp(0, odds) - wanted * odds).sum())
