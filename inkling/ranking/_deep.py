"""What the networks among the rankers share: settings, inputs, fitting by torch, and serving without it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space
from inkling.ranking._features import feature_names, people_with_both
from inkling.ranking._inputs import Ids, InputReader, Inputs
from inkling.ranking._moments import Moments
from inkling.ranking._numbers import Numbers, Treatment
from inkling.ranking._position import Correction, corrected
from inkling.ranking.base import RankingSet
from inkling.training.extra import need_torch

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Whole0 = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share0 = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Drop = Callable[[Any], Any]
Parameters = Mapping[str, Any]

_LEAST_PEOPLE = 40  # people below which none are held out
_HELD_OUT = 0.15

DEEP_SPACE: Space = {
    "learning_rate": Real(3e-4, 1e-2, log=True),
    "weight_decay": Real(0.03, 30.0, log=True),
    "dropout": Real(0.0, 0.5),
    "item_dim": Choice((0, 4, 8, 16)),
    "hidden": Choice(((32,), (64, 32), (128, 64))),
    "numbers": Choice(("log", "quantile")),
}


class DeepConfig(Config, frozen=True, kw_only=True):
    """Settings that all networks share."""

    loss: Literal["listwise", "pointwise"] = "listwise"
    """Softmax over the candidates of a person, or log loss of each alone (scores are then log odds)."""
    numbers: Treatment = "log"
    """How numeric columns are read: on one scale, by logarithm first where they are skewed, or by quantile."""
    item_dim: Whole0 = 8
    """Size of an item's vector; 0 reads neither ids nor what the person had."""
    max_history: AtLeastOne = 30
    """So many of the newest positive events of a person are read."""
    hidden: tuple[AtLeastOne, ...] = (64, 32)
    """Widths of the layers."""
    dropout: Share0 = 0.1
    """Share of hidden values that are left out in each step of training."""
    epochs: AtLeastOne = 20
    """At most so many passes over the examples."""
    patience: AtLeastOne = 3
    """Stops after so many passes without a gain on people who are held out."""
    batch: AtLeastOne = 2048
    """Candidates in a step, about; listwise, a person is never split."""
    learning_rate: Positive = 3e-3
    """Step size of AdamW."""
    weight_decay: NotNegative = 3.0
    """Decoupled decay of all weights (AdamW)."""
    left_each: Whole0 = 50
    """So many of the items that a person left are learned from, drawn at random; 0 takes all."""
    position: Correction = "ignore"
    """What is done about places: nothing, clicks weigh by inverse propensity, or a tower that serving drops."""
    features: tuple[str, ...] = ()
    """Columns to learn from; empty takes all."""


class Deep(ABC):
    """A network over :class:`Inputs`. Its formula is written once, for numpy (serving) and torch (training) alike."""

    name: ClassVar[str]
    space: ClassVar[Space] = DEEP_SPACE
    config: DeepConfig

    def __init__(self) -> None:
        self._reader = InputReader(Numbers.learn(Candidates.empty(0), (), "log"), Moments({}, clock=False), _no_ids())
        self._p: dict[str, F32] = {}
        self._served: Mapping[str, F32] = {}

    @abstractmethod
    def _start(self, rng: np.random.Generator) -> dict[str, F32]:
        """Return the parameters before training, for the inputs that the reader learned."""

    @abstractmethod
    def _forward(self, xp: Any, p: Parameters, inputs: Inputs, drop: Drop) -> Any:
        """Return logits (N,), or (N, tasks).

        Args:
            xp: numpy or torch.
            p: Parameters, arrays of the same library.
            inputs: Likewise.
            drop: Leaves some hidden values out in training; serving passes them through.
        """

    def _folded(self, p: Mapping[str, F32]) -> Mapping[str, F32]:
        """Return the parameters that serving reads, where something can be computed beforehand."""
        return p

    def _checked(self, data: RankingSet) -> tuple[str, ...]:
        """Return the columns that are read.

        Raises:
            DataError: There is nothing to learn from.
        """
        return feature_names(data, self.config.features, name=self.name)

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Train until people who are held out (or ``validation``) gain no more. The same seed and data, the same model.

        Raises:
            DataError: All labels are the same, a feature is not there, or places are needed and not told.
            MissingExtraError: torch is not installed.
        """
        names = self._checked(data)
        learning = _learning(self.name)
        rng, whole = run.rng(self.name), self.config.loss == "listwise"
        data = corrected(data, self.config.position)
        data, held = (data, validation) if validation is not None else _parted(data, rng, whole=whole)
        data = _thinned(data, self.config.left_each, rng, weighted=not whole)
        length = self.config.max_history if self.config.item_dim else 0
        self._reader = InputReader.learn(data, names, how=self.config.numbers, length=length)
        lessons = [self._lesson(one) for one in (data, held) if one is not None]
        self._take(learning.train(self._forward, self._start(rng), lessons, self._plan(), run=run, name=self.name))
        return self

    def _lesson(self, data: RankingSet) -> dict[str, Any]:
        """Return a set as plain arrays for training."""
        ones = np.ones(len(data.labels), dtype=np.float32)
        labels = (data.labels > 0).astype(np.float32)
        return {
            "inputs": self._reader.read(data.query, data.candidates),
            "offsets": data.candidates.offsets,
            "labels": labels,
            "weights": ones if data.weights is None else data.weights.astype(np.float32),
            "positions": data.positions if self.config.position == "tower" else None,
        }

    def _plan(self) -> dict[str, Any]:
        """Return the settings of training as plain numbers."""
        config = self.config
        names = ("epochs", "patience", "batch", "learning_rate", "weight_decay", "dropout", "loss")
        return {name: getattr(config, name) for name in names}

    def _take(self, p: Mapping[str, F32]) -> None:
        self._p = dict(p)
        self._served = self._folded(self._p)

    def scores(self, query: Query, items: Candidates) -> F32:
        """Return the scores (N,) in the order of ``items``; with the pointwise loss, log odds of being taken."""
        if not self._p or not len(items.item_rows):
            return items.scores
        return self._read_out(self._forward(np, self._served, self._reader.read(query, items), _kept))

    def _read_out(self, logits: F32) -> F32:
        """Return scores (N,) of what the network says."""
        return logits.astype(np.float32)

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates, best first for each person."""
        return items.with_scores(self.scores(query, items))

    def asks(self) -> frozenset[str]:
        """Return the names of the columns that are read."""
        return frozenset(self._reader.numbers.names)

    def state(self) -> Mapping[str, Array]:
        """Return how inputs are read, and the parameters."""
        return {**self._reader.state(), **{f"p.{name}": array for name, array in self._p.items()}}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._reader = InputReader.of_state(state)
        self._take({key.removeprefix("p."): np.array(v) for key, v in state.items() if key.startswith("p.")})
        return self


def _kept(hidden: Any) -> Any:
    return hidden


def _no_ids() -> Ids:
    return Ids(np.zeros(0, dtype=np.int32), 0, 0)


def _learning(name: str) -> Any:
    need_torch(f"Fitting '{name}'")
    from inkling.ranking import _fit

    return _fit


def _parted(data: RankingSet, rng: np.random.Generator, *, whole: bool) -> tuple[RankingSet, RankingSet | None]:
    """Return the people to learn from and those held out; ``whole`` lists need some taken and some left."""
    able = people_with_both(data) if whole else np.arange(len(data.candidates))
    if len(able) < _LEAST_PEOPLE or len(data.query) != len(data.candidates):
        return data, None
    held = np.sort(rng.permutation(able)[: int(_HELD_OUT * len(able))])
    rest = np.setdiff1d(np.arange(len(data.candidates)), held)
    return data.take(rest), data.take(held)


def _thinned(data: RankingSet, n_left: int, rng: np.random.Generator, *, weighted: bool) -> RankingSet:
    """Return all that people took and so many drawn from what each left; ``weighted``, these stand for the others."""
    items, left = data.candidates, data.labels <= 0
    n_each = np.bincount(items.segment_rows, left, len(items))
    if n_left <= 0 or (n_each <= n_left).all():
        return data
    drawn = np.lexsort((rng.random(len(left)), ~left, items.segment_rows))  # each person's left items first, shuffled
    place = np.empty(len(left), dtype=np.int64)
    place[drawn] = np.arange(len(left)) - items.offsets[items.segment_rows[drawn]]
    kept = data.keep(~left | (place < n_left))
    if not weighted:
        return kept
    share = np.maximum(n_each / n_left, 1.0)[kept.candidates.segment_rows]
    before = np.ones(len(kept.labels)) if kept.weights is None else kept.weights
    weights = np.where(kept.labels > 0, before, before * share).astype(np.float32)
    return RankingSet(kept.query, kept.candidates, kept.labels, weights, kept.further, kept.positions)
