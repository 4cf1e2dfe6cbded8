"""A small network in numpy: answers in microseconds, and learns to order as another ranker does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I64, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Real, Space, Whole
from inkling.ranking._features import decode_names, encode_names, feature_names, people_with_both, table
from inkling.ranking.base import RankingSet

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
_CLIP = np.float32(5.0)  # standardised columns are cut off here: a lone giant would drown the others
_LISTS = 16
_BETAS = (0.9, 0.999)
_PARTS = ("w1", "b1", "w2", "skip")


class MimicConfig(Config, frozen=True, kw_only=True):
    """Settings of ``mimic``."""

    hidden: AtLeastOne = 32
    """Units of the one hidden layer."""
    epochs: AtLeastOne = 30
    """How often each list is looked at."""
    learning_rate: Positive = 0.01
    """Of Adam; it falls to nothing along a cosine."""
    l2: Annotated[float, msgspec.Meta(ge=0)] = 1e-4
    """Decay of the weights."""
    features: tuple[str, ...] = ()
    """Columns to learn from; empty takes all."""


class Mimic:
    """ListNet (Cao et al. 2007) on one hidden layer beside a linear part; a teacher's shares may be the labels.

    As a student it is the ranking distillation of Tang and Wang (2018): labels above 0 are what a teacher gives the
    first candidates of a list. A missing feature counts as the mean, with a weight of its own where that happens.
    """

    name = "mimic"
    Config = MimicConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"hidden": 64})
    space: ClassVar[Space] = {
        "hidden": Whole(8, 128, log=True),
        "epochs": Whole(5, 60, log=True),
        "learning_rate": Real(0.001, 0.05, log=True),
        "l2": Real(1e-6, 1e-2, log=True),
    }

    def __init__(self, config: MimicConfig | None = None) -> None:
        self.config = config or MimicConfig()
        self._names: tuple[str, ...] = ()
        self._mean = self._scale = np.zeros(0, dtype=np.float32)  # (F,)
        self._gaps = np.zeros(0, dtype=np.int64)  # columns that may be missing
        self._net = {name: np.zeros((0, 0), dtype=np.float32) for name in _PARTS}

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Learn from the lists that hold some labels above 0 and some of 0; ``validation`` is not needed.

        Raises:
            DataError: All labels are the same, or a feature is not there.
        """
        self._names = feature_names(data, self.config.features, name=self.name)
        own = data.take(people_with_both(data))
        x = table(own.candidates, self._names)
        known = np.isfinite(x)
        values = np.where(known, x, 0).astype(np.float64)
        count = np.maximum(known.sum(axis=0), 1)
        mean = values.sum(axis=0) / count
        spread = np.sqrt((np.where(known, x - mean, 0) ** 2).sum(axis=0) / count)
        self._mean, self._scale = mean.astype(np.float32), np.where(spread > 1e-12, spread, 1).astype(np.float32)
        self._gaps = np.flatnonzero(~known.all(axis=0))
        self._learn(self._design(x), own, run)
        return self

    def _design(self, x: F32) -> F32:
        """Return standardised columns (N, F + G) and, behind them, which of those with gaps are missing."""
        design = np.empty((len(x), x.shape[1] + len(self._gaps)), dtype=np.float32)
        z = design[:, : x.shape[1]]
        np.subtract(x, self._mean, out=z)
        z /= self._scale
        missing = ~np.isfinite(x)
        if missing.any():
            z[missing] = 0
        np.maximum(z, -_CLIP, out=z)
        np.minimum(z, _CLIP, out=z)
        design[:, x.shape[1] :] = missing[:, self._gaps]
        return design

    def _learn(self, design: F32, data: RankingSet, run: Run) -> None:
        rng, config = run.rng(self.name), self.config
        width = design.shape[1]
        net = {
            "w1": (rng.normal(size=(width, config.hidden)) / np.sqrt(width)).astype(np.float32),
            "b1": np.zeros((1, config.hidden), dtype=np.float32),
            "w2": np.zeros((config.hidden, 1), dtype=np.float32),
            "skip": np.zeros((width, 1), dtype=np.float32),
        }
        offsets = data.candidates.offsets
        weights = np.ones(len(design), dtype=np.float32) if data.weights is None else data.weights
        wanted = np.maximum(data.labels, 0) * weights
        lists = np.add.reduceat(wanted, offsets[:-1])
        shares = wanted / np.repeat(np.maximum(lists, 1e-12), np.diff(offsets))
        taught = np.flatnonzero(lists > 0)
        steps = config.epochs * -(-len(taught) // _LISTS)
        adam = _Adam(net, config.learning_rate, config.l2, steps)
        for _ in run.track(range(config.epochs), f"teaching {self.name}", total=config.epochs):
            for rows, starts in _batches(rng.permutation(taught), offsets):
                adam.step(_gradient(net, design[rows], shares[rows], starts))
        self._net = net

    def scores(self, query: Query, items: Candidates) -> F32:
        """Return the scores (N,) in the order of ``items``."""
        if not len(items.item_rows) or not self._names:
            return items.scores
        design = self._design(table(items, self._names))
        hidden = np.maximum(design @ self._net["w1"] + self._net["b1"], 0)
        found: F32 = (hidden @ self._net["w2"] + design @ self._net["skip"])[:, 0]
        return found

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates, best first for each person."""
        return items.with_scores(self.scores(query, items))

    def asks(self) -> frozenset[str]:
        """Return the names of the columns that are read."""
        return frozenset(self._names)

    def importances(self) -> Mapping[str, float]:
        """Return each column's share of the absolute weights that lead away from it."""
        size = np.abs(self._net["w1"]) @ np.abs(self._net["w2"]) + np.abs(self._net["skip"])
        size = size[: len(self._names), 0]
        return dict(zip(self._names, (size / max(float(size.sum()), 1e-12)).tolist(), strict=True))

    def state(self) -> Mapping[str, Array]:
        """Return names, scales and weights."""
        scales: dict[str, Array] = {"mean": self._mean, "scale": self._scale, "gaps": self._gaps}
        return {"names": encode_names(self._names), **scales, **self._net}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._names = decode_names(state)
        self._mean, self._scale = np.array(state["mean"]), np.array(state["scale"])
        self._gaps = np.array(state["gaps"], dtype=np.int64)
        self._net = {name: np.array(state[name]) for name in _PARTS}
        return self


def _batches(lists: I64, offsets: I64) -> Iterator[tuple[I64, I64]]:
    """Yield the rows of some lists at once, and where each list begins among them."""
    lengths = np.diff(offsets)
    for begin in range(0, len(lists), _LISTS):
        part = lists[begin : begin + _LISTS]
        starts = np.concatenate([[0], np.cumsum(lengths[part])]).astype(np.int64)
        yield np.arange(starts[-1]) + np.repeat(offsets[part] - starts[:-1], lengths[part]), starts[:-1]


def _gradient(net: Mapping[str, F32], x: F32, shares: F32, starts: I64) -> dict[str, F32]:
    """Return the gradient of the cross entropy between the lists' shares and the softmax of their scores, by part."""
    hidden = x @ net["w1"] + net["b1"]
    alive: Bool = hidden > 0
    hidden = np.where(alive, hidden, 0)
    scores = (hidden @ net["w2"] + x @ net["skip"])[:, 0]
    lengths = np.diff(np.append(starts, len(scores)))
    raised = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), lengths))
    softmax = raised / np.repeat(np.add.reduceat(raised, starts), lengths)
    off = ((softmax - shares) / len(starts)).astype(np.float32)[:, None]
    back = (off @ net["w2"].T) * alive
    return {"w1": x.T @ back, "b1": back.sum(axis=0, keepdims=True), "w2": hidden.T @ off, "skip": x.T @ off}


class _Adam:
    """Adam (Kingma and Ba 2015) with decoupled decay, on arrays in place."""

    def __init__(self, net: dict[str, F32], rate: float, l2: float, steps: int) -> None:
        self._net, self._rate, self._l2, self._steps = net, rate, l2, max(steps, 1)
        self._first = {name: np.zeros_like(value) for name, value in net.items()}
        self._second = {name: np.zeros_like(value) for name, value in net.items()}
        self._done = 0

    def step(self, gradient: Mapping[str, F32]) -> None:
        """Move every part against its gradient."""
        rate = self._rate * 0.5 * (1 + np.cos(np.pi * self._done / self._steps))
        self._done += 1
        for name, value in self._net.items():
            first, second = self._first[name], self._second[name]
            first += (1 - _BETAS[0]) * (gradient[name] - first)
            second += (1 - _BETAS[1]) * (gradient[name] ** 2 - second)
            sure = np.sqrt(second / (1 - _BETAS[1] ** self._done)) + np.float32(1e-8)
            value -= np.float32(rate) * (first / (1 - _BETAS[0] ** self._done) / sure + np.float32(self._l2) * value)
