"""Implicit feedback as weighted least squares, solved by turns for people and items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._als import Halfstep, Solver, Weighing, Workers, blocks_of, spectrum
from inkling.retrieval._dense import retrieve
from inkling.retrieval._factors import Factors, Served, ridge
from inkling.retrieval._matrix import Signal, people_by_items, signals
from inkling.retrieval._taste import AtLeastZero, Positive, Share, TasteConfig, day_length, decay
from inkling.retrieval.base import Because

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class AlsConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``als``."""

    factors: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 128
    """Length of the vectors. Where many items are rare, 256 or 512 can be worth their time."""
    iterations: Annotated[int, msgspec.Meta(ge=1)] = 15
    """Rounds over people and items."""
    alpha: Positive = 5.0
    """Confidence in an observation of amount r is 1 + alpha r; in a missing one it is 1."""
    l2: Positive = 10.0
    """Regularisation of a person, or an item, with an average number of observations."""
    l2_power: Share = 0.0
    """How much more those with many observations are regularised: 0 alike, 1 in proportion (Rendle et al. 2021)."""
    solver: Solver = "cg"
    """"cg" takes some steps of conjugate gradient from the last solution, "exact" solves each system."""
    cg_steps: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Steps of conjugate gradient in each round."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """The person whom weighted least squares puts to a history; the items' Gram matrix is diagonal."""

    spectrum: F64  # (d,)
    weighing: Weighing
    mean_length: float
    n_items: int

    def everyone(self) -> F64:
        """Return zeros (d,): without observations there is nothing to predict."""
        return np.zeros_like(self.spectrum)

    def person(self, items: F64, amounts: F64) -> F64:
        """Return the vector (d,) that solves the normal equations."""
        right = items.T @ (1.0 + self.weighing.alpha * amounts)
        return self._solve(items, amounts, right)

    def shares(self, items: F64, amounts: F64, item: F64) -> F64:
        """Return what each item had adds to the score of ``item``: section 5 of Hu, Koren, Volinsky."""
        return np.asarray((items @ self._solve(items, amounts, item)) * (1.0 + self.weighing.alpha * amounts))

    def _solve(self, items: F64, amounts: F64, right: F64) -> F64:
        length = np.array([len(items)], dtype=np.float64)
        diagonal = self.spectrum + self.weighing.l2_of(length, self.mean_length, self.n_items)
        return ridge(items, self.weighing.alpha * amounts, diagonal, right[:, None])[:, 0]


class Als:
    """Implicit alternating least squares (Hu, Koren, Volinsky 2008) by conjugate gradient (Takacs et al. 2011).

    Only the items' vectors are kept: a person's is solved for, exactly, from their history when it is asked for.
    """

    name = "als"
    Config = AlsConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"factors": 512, "alpha": 20.0},
        {"factors": 256, "alpha": 2.0, "half_life_days": 30.0, "fit_half_life_days": 120.0},
        {"alpha": 2.0, "half_life_days": 60.0},
        {"factors": 64, "alpha": 1.0, "l2": 30.0, "half_life_days": 60.0},
        {"factors": 32, "alpha": 2.0},
    )
    space: ClassVar[Space] = {
        "factors": Choice((32, 64, 128, 256, 512)),
        "alpha": Real(0.5, 100.0, log=True),
        "l2": Real(0.1, 300.0, log=True),
        "l2_power": Real(0.0, 1.0),
        "signal": Choice(("binary", "log", "sum")),
        "half_life_days": Choice((0.0, 30.0, 90.0, 365.0)),
        "fit_half_life_days": Choice((0.0, 90.0, 365.0)),
        "iterations": Whole(5, 30),
    }

    def __init__(self, config: AlsConfig | None = None) -> None:
        self.config = config or AlsConfig()
        self._serve(Factors.none(), np.zeros(1), np.zeros(3))

    def fit(self, data: Dataset, run: Run) -> Self:
        """Solve for the items' vectors.

        Raises:
            DataError: The data has no positive event.
        """
        events, day = signals(data, name=self.name), day_length(data)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, day)
        matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=self.config.signal)
        del events, weights
        vectors, values = alternate(matrix, self.config, run)
        lengths = np.diff(matrix.indptr)
        mean_length = float(lengths[lengths > 0].mean())
        self._serve(Factors(vectors), values, np.array([mean_length, data.n_items, day]))
        return self

    def _serve(self, factors: Factors, values: F64, shape: F64) -> None:
        """Answer from these factors; ``shape`` is the mean length of a history, the number of items, a day's length."""
        weighing = Weighing(self.config.alpha, self.config.l2, self.config.l2_power)
        fold = LeastSquares(values, weighing, float(shape[0]), int(shape[1]))
        self._served = Served(factors, factors.vectors, fold, self.config, self.config.signal, float(shape[2]))
        self._kept = {"spectrum": values, "shape": shape}

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the preference that each person's history predicts."""
        return self._served.scores(query)

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, d); zeros where nothing is known of one."""
        return self._served.factors.vectors

    def place(self, query: Query) -> F32:
        """Return people's vectors (B, d): the larger the product with an item's, the better; zeros: nothing known."""
        return self._served.people(query)

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return the same as ``retrieve`` by an index, where there are many items; None where there are not."""
        return self._served.nearest(query, k)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that each person's history predicts most."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items whose vectors point most alike."""
        return self._served.factors.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return what each item of the history adds to the score of ``item_row``: exactly, they sum up to it."""
        return self._served.why(query, item_row)

    def state(self) -> Mapping[str, Array]:
        """Return the items' vectors, and what a person is folded in with."""
        return {"vectors": self._served.factors.vectors, **self._kept}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        factors = Factors(np.asarray(state["vectors"], np.float32))
        self._serve(factors, np.asarray(state["spectrum"]), np.asarray(state["shape"]))
        return self


def alternate(matrix: csr_array, config: AlsConfig, run: Run) -> tuple[F32, F64]:
    """Return the items' vectors (n, d), whose Gram matrix is diagonal, and that diagonal (d,).

    Args:
        matrix: People x items, the amounts; no explicit zeros.
        config: Settings.
        run: Its threads work on different rows, so their number does not move the answer.
    """
    matrix.eliminate_zeros()
    weighing = Weighing(config.alpha, config.l2, config.l2_power)
    by_person = blocks_of(matrix, config.factors, weighing)
    by_item = blocks_of(matrix.T.tocsr(), config.factors, weighing)
    people = np.zeros((matrix.shape[0], config.factors), dtype=np.float32)
    items = first_items(matrix, config.factors, run)
    halfstep, workers = Halfstep(config.solver, config.cg_steps, config.alpha), Workers(run.n_threads)
    try:
        for _ in run.track(range(config.iterations), "als", total=config.iterations):
            halfstep(people, items, by_person, workers)
            halfstep(items, people, by_item, workers)
        return items, spectrum(items, people, workers)
    finally:
        workers.close()


def first_items(matrix: csr_array, n_factors: int, run: Run) -> F32:
    """Return small random vectors (n, d) of the items with any observation, zeros for the others."""
    scale = np.float32(0.1 / np.sqrt(n_factors))
    items = run.rng("als").standard_normal((matrix.shape[1], n_factors), dtype=np.float32) * scale
    items[np.bincount(matrix.indices, minlength=matrix.shape[1]) == 0] = 0.0
    return items
