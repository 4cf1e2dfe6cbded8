"""Factor models of people who are the sum of what they had: training by hiding a part of each history, and folding in.

A person's vector is u = e + sum_j r_j p_j / (sum_j r_j)^power over what they had, with input vectors p, amounts r and a
vector e that everyone shares. So a person who is new, or has just done something, is treated as in training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, Array
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.retrieval._factors import Factors, Served
from inkling.retrieval._matrix import Signal, Sparse, people_by_items, signals
from inkling.retrieval._taste import AtLeastZero, Positive, Share, TasteConfig, day_length, decay

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Cells of people x items that a step may hold: 32 MiB of float32.
_STEP_CELLS = 8_388_608
_LEAST_PEOPLE = 16
_FIRST_DECAY, _SECOND_DECAY, _TINY = 0.9, 0.999, 1e-8

Predict = Literal["hidden", "all"]
Slopes: TypeAlias = tuple[float, Array, Array]
Loss: TypeAlias = Callable[[Array, Array, Sparse, Sparse], Slopes]
"""(people (B, d), items (M, d), targets (B, M), all they had (B, M)) -> loss, its slopes by people and by items."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a model of this family is trained for.

    Attributes:
        name: Of the model.
        loss: Of a step.
        positive: Whether all vectors are kept at or above 0.
        dense: Whether a step scores all items for each of its people, so that their number must be bounded.
    """

    name: str
    loss: Loss
    positive: bool = False
    dense: bool = False


class SummedConfig(TasteConfig, frozen=True, kw_only=True):
    """What models of this family share."""

    factors: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 64
    """Length of the vectors."""
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Rounds over all people."""
    learning_rate: Positive = 0.01
    """Of Adam; it falls to 0 in the course of training."""
    l2: AtLeastZero = 1e-6
    """Regularisation: times the sum of the squares of all vectors, beside the mean loss of an observation."""
    hide: Share = 0.5
    """Share of each history that is hidden from a person's vector in a round, drawn anew each time."""
    predict: Predict = "hidden"
    """What a round predicts: what is hidden, or all that the person had (where people have things again)."""
    power: Share = 0.5
    """How much a long history is scaled down: 0 sums it up, 1 takes the mean."""
    people_per_step: Annotated[int, msgspec.Meta(ge=1)] = 128
    """At most so many people are in one step; fewer where the catalogue is large."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""


@dataclass(frozen=True, slots=True)
class Summed:
    """The fold of this family."""

    shared: F64  # (d,)
    power: float

    def everyone(self) -> F64:
        """Return the vector that all share."""
        return self.shared

    def person(self, items: F64, amounts: F64) -> F64:
        """Return the shared vector plus the scaled sum."""
        return np.asarray(self.shared + (amounts @ items) / amounts.sum() ** self.power)

    def shares(self, items: F64, amounts: F64, item: F64) -> F64:
        """Return the addends of the inner product."""
        return np.asarray((items @ item) * amounts / amounts.sum() ** self.power)


@dataclass(frozen=True, slots=True)
class Trained:
    """What training leaves: vectors of the items as recommended and as had, and the shared one."""

    vectors: F32  # (n, d)
    inputs: F32  # (n, d)
    shared: F32  # (d,)
    day: float = np.inf

    @classmethod
    def none(cls) -> Trained:
        """Return a model of no items."""
        return cls(np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32), np.zeros(1, np.float32))

    def serve(self, config: SummedConfig) -> Served:
        """Return the model as it answers."""
        fold = Summed(self.shared.astype(np.float64), config.power)
        return Served(Factors(self.vectors), self.inputs, fold, config, config.signal, self.day)

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes."""
        return {"vectors": self.vectors, "inputs": self.inputs, "shared": self.shared, "day": np.array([self.day])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Trained:
        """Build from the arrays of :meth:`to_arrays`."""
        vectors, inputs, shared = (np.asarray(arrays[name], np.float32) for name in ("vectors", "inputs", "shared"))
        return cls(vectors, inputs, shared, float(arrays["day"][0]))


def fit_summed(data: Dataset, config: SummedConfig, objective: Objective, run: Run) -> Trained:
    """Train on a data set.

    Raises:
        DataError: The data has no positive event.
    """
    events, day = signals(data, name=objective.name), day_length(data)
    weights = events.weights * decay(data.until - events.ts, config.fit_half_life_days, day)
    matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=config.signal)
    del events, weights
    known = np.flatnonzero(np.bincount(matrix.indices, minlength=data.n_items))
    busy = np.flatnonzero(np.diff(matrix.indptr))
    vectors, inputs, shared = _train(matrix[busy][:, known], config, objective, run)
    wide = np.zeros((2, data.n_items, config.factors), dtype=np.float32)
    wide[0, known], wide[1, known] = vectors, inputs
    return Trained(wide[0], wide[1], shared, day)


def _train(matrix: csr_array, config: SummedConfig, objective: Objective, run: Run) -> tuple[F32, F32, F32]:
    """Return the vectors (M, d), inputs (M, d) and shared vector (d,) for a matrix without empty rows and columns."""
    n_people, n_items = matrix.shape
    rng = run.rng(objective.name)
    parameters = first_vectors(n_items, config.factors, rng, positive=objective.positive)
    size = config.people_per_step
    if objective.dense:
        size = min(size, max(_STEP_CELLS // n_items, _LEAST_PEOPLE))
    adam = Adam(parameters, total=config.epochs * -(-n_people // size), rate=config.learning_rate)
    for _ in run.track(range(config.epochs), objective.name, total=config.epochs):
        order = rng.permutation(n_people)
        for start in range(0, n_people, size):
            had = matrix[np.sort(order[start : start + size])]
            inputs, targets = hidden(had, config, rng)
            if targets.nnz:
                adam.step(slopes(parameters, inputs, targets, had, objective.loss), l2=config.l2)
                if objective.positive:
                    for parameter in parameters:
                        np.maximum(parameter, 0.0, out=parameter)
    return parameters


def first_vectors(n_items: int, n_factors: int, rng: np.random.Generator, *, positive: bool) -> tuple[F32, F32, F32]:
    """Return random vectors and inputs (n, d), and a shared vector (d,)."""
    scale = np.float32(1.0 / np.sqrt(n_factors))
    vectors, inputs = (rng.standard_normal((n_items, n_factors), dtype=np.float32) * scale for _ in range(2))
    if positive:
        return np.abs(vectors), np.abs(inputs), np.full(n_factors, scale, dtype=np.float32)
    inputs *= np.float32(0.1)
    return vectors, inputs, np.zeros(n_factors, dtype=np.float32)


def hidden(had: csr_array, config: SummedConfig, rng: np.random.Generator) -> tuple[csr_array, csr_array]:
    """Return what is seen of each history, scaled as a person's vector is, and what is to be predicted."""
    from scipy.sparse import csr_array

    seen = rng.random(had.nnz) >= config.hide
    people = np.repeat(np.arange(had.shape[0]), np.diff(had.indptr))
    total = np.bincount(people, had.data * seen, had.shape[0])
    scale = np.divide(1.0, total**config.power, out=np.zeros_like(total), where=total > 0)
    data = (had.data * seen * scale[people]).astype(np.float32)
    inputs = csr_array((data, had.indices, had.indptr), shape=had.shape)
    if config.predict == "all":
        return inputs, had
    targets = csr_array((np.where(seen, 0, had.data), had.indices.copy(), had.indptr.copy()), shape=had.shape)
    targets.eliminate_zeros()
    return inputs, targets


def slopes(
    parameters: tuple[Array, Array, Array], inputs: Sparse, targets: Sparse, had: Sparse, loss: Loss
) -> tuple[Array, Array, Array]:
    """Return the slopes of the mean loss by vectors, inputs and shared vector."""
    vectors, own, shared = parameters
    _, by_people, by_items = loss(inputs @ own + shared, vectors, targets, had)
    return by_items, np.asarray(inputs.T @ by_people), by_people.sum(axis=0)


class Adam:
    """Adam (Kingma, Ba 2015) in place, with coupled L2 and a rate that falls linearly to 0."""

    def __init__(self, parameters: tuple[F32, ...], *, total: int, rate: float) -> None:
        """Keep moments of the parameters for ``total`` steps."""
        self._parameters, self._total, self._rate, self._done = parameters, total, rate, 0
        self._means = [np.zeros_like(parameter) for parameter in parameters]
        self._squares = [np.zeros_like(parameter) for parameter in parameters]

    def step(self, slopes: tuple[Array, ...], *, l2: float) -> None:
        """Go down the slopes, to which the slope 2 l2 x of the regularisation is added."""
        rate = self._rate * (1.0 - self._done / self._total)
        self._done += 1
        rate *= np.sqrt(1.0 - _SECOND_DECAY**self._done) / (1.0 - _FIRST_DECAY**self._done)
        for parameter, slope, mean, square in zip(self._parameters, slopes, self._means, self._squares, strict=True):
            total = slope + np.float32(2.0 * l2) * parameter
            mean += np.float32(1.0 - _FIRST_DECAY) * (total - mean)
            square += np.float32(1.0 - _SECOND_DECAY) * (total * total - square)
            parameter -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(_TINY))
