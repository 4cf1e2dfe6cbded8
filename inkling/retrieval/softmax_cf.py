"""The softmax collaborative filter: what a person had, against the whole catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Sparse
from inkling.retrieval._summed import Objective, Slopes, SummedConfig, Trained, fit_summed
from inkling.retrieval._taste import Positive
from inkling.retrieval.base import Because


class SoftmaxCfConfig(SummedConfig, frozen=True, kw_only=True):
    """Settings of ``softmax_cf``."""

    form: Literal["softmax", "ratio"] = "softmax"
    """"softmax" of inner products; or their "ratio", with vectors at or above 0, whose normaliser costs O(d)."""
    temperature: Positive = 1.0
    """Of the softmax."""
    eps: Positive = 1e-3
    """Of the ratio: what every item has without a reason."""


class SoftmaxCf:
    """The mean over observed pairs of -[s_ui / t - log sum_j exp(s_uj / t)], with s_ui = u . v_i, plus l2 |theta|^2.

    In the form "ratio" the probability is (u . v_i + eps) / (u . sum_j v_j + M eps) for M items. A person's vector u is
    learned as a function of what they had, part of which is hidden in training, as in denoising autoencoders (Liang et
    al. 2018, Variational autoencoders for collaborative filtering).
    """

    name = "softmax_cf"
    Config = SoftmaxCfConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"predict": "all", "half_life_days": 30.0},
        {"form": "ratio", "predict": "all", "half_life_days": 30.0},
    )
    space: ClassVar[Space] = {
        "form": Choice(("softmax", "ratio")),
        "factors": Choice((32, 64, 128, 256)),
        "epochs": Whole(5, 60, log=True),
        "learning_rate": Real(0.001, 0.05, log=True),
        "l2": Real(1e-8, 1e-4, log=True),
        "hide": Real(0.1, 0.9),
        "power": Real(0.0, 1.0),
        "predict": Choice(("hidden", "all")),
        "half_life_days": Choice((0.0, 30.0, 90.0, 365.0)),
    }

    def __init__(self, config: SoftmaxCfConfig | None = None) -> None:
        self.config = config or SoftmaxCfConfig()
        self._take(Trained.none())

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn the vectors.

        Raises:
            DataError: The data has no positive event.
        """
        return self._take(fit_summed(data, self.config, self._objective(), run))

    def _objective(self) -> Objective:
        eps, temperature = self.config.eps, self.config.temperature
        if self.config.form == "ratio":
            return Objective(self.name, lambda u, v, targets, _: ratio_loss(u, v, targets, eps), positive=True)
        return Objective(self.name, lambda u, v, targets, _: softmax_loss(u, v, targets, temperature), dense=True)

    def _take(self, trained: Trained) -> Self:
        self._trained, self._served = trained, trained.serve(self.config)
        return self

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the inner products."""
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
        """Return the k most probable items of each person."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items whose vectors point most alike."""
        return self._served.factors.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return what each item of the history adds to the score of ``item_row``: exactly, they sum up to it."""
        return self._served.why(query, item_row)

    def state(self) -> Mapping[str, Array]:
        """Return all vectors."""
        return self._trained.to_arrays()

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        return self._take(Trained.from_arrays(state))


def softmax_loss(people: Array, items: Array, targets: Sparse, temperature: float) -> Slopes:
    """Return the mean cross-entropy of the targets under a softmax over all items, and its slopes.

    Args:
        people: (B, d)
        items: (M, d)
        targets: (B, M) sparse, the weight of each observed pair.
        temperature: Divides the scores.
    """
    rows, columns = targets.tocoo().coords
    wanted, total = targets.sum(axis=1), targets.sum()
    slope = (people @ items.T) / people.dtype.type(temperature)
    own = slope[rows, columns]
    highest = slope.max(axis=1, keepdims=True)
    np.exp(np.subtract(slope, highest, out=slope), out=slope)
    sums = slope.sum(axis=1)
    loss = (wanted @ (np.log(sums) + highest[:, 0]) - targets.data @ own) / total
    slope *= (wanted / sums)[:, None]
    slope[rows, columns] -= targets.data
    slope /= people.dtype.type(total * temperature)
    return float(loss), slope @ items, slope.T @ people


def ratio_loss(people: Array, items: Array, targets: Sparse, eps: float) -> Slopes:
    """Return the mean of -log[(u . v_i + eps) / (u . sum_j v_j + M eps)] over the targets, and its slopes.

    The sum of all items' vectors is taken once, so that each person's normaliser costs O(d), not O(M d).

    Args:
        people: (B, d) at or above 0.
        items: (M, d) at or above 0.
        targets: (B, M) sparse, the weight of each observed pair.
        eps: Above 0.
    """
    rows, columns = targets.tocoo().coords
    wanted, total = targets.sum(axis=1), targets.sum()
    own = np.einsum("nd,nd->n", people[rows], items[columns]) + people.dtype.type(eps)
    summed = items.sum(axis=0)
    whole = people @ summed + people.dtype.type(len(items) * eps)
    loss = (wanted @ np.log(whole) - targets.data @ np.log(own)) / total
    pull = targets.copy()
    pull.data = (targets.data / (own * total)).astype(people.dtype)
    push = (wanted / (whole * total)).astype(people.dtype)
    by_people = push[:, None] * summed - pull @ items
    return float(loss), by_people, push @ people - pull.T @ people
