"""Bayesian personalised ranking: what a person had should score above what they had not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import Sparse
from inkling.retrieval._summed import Objective, Slopes, SummedConfig, Trained, fit_summed
from inkling.retrieval.base import Because

# One pair costs about as much as so many cells of a product of matrices.
_CELLS_OF_A_PAIR = 32
_PAIRS_AT_ONCE = 32_768


class BprConfig(SummedConfig, frozen=True, kw_only=True):
    """Settings of ``bpr``."""

    negatives: Annotated[int, msgspec.Meta(ge=1)] = 4
    """Items that the person did not have, drawn for each that they had."""


class Bpr:
    """The mean of -log sigmoid(s_ui - s_uj) over what people had and draws from the rest (Rendle et al. 2009).

    A person's vector is learned as a function of what they had, part of which is hidden in training, so that people
    whom the training never saw are served alike (Kabbur et al. 2013, FISM, for that form).
    """

    name = "bpr"
    Config = BprConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"predict": "all", "half_life_days": 30.0})
    space: ClassVar[Space] = {
        "factors": Choice((32, 64, 128, 256)),
        "epochs": Whole(5, 100, log=True),
        "learning_rate": Real(0.001, 0.05, log=True),
        "l2": Real(1e-8, 1e-4, log=True),
        "negatives": Whole(1, 32, log=True),
        "hide": Real(0.1, 0.9),
        "power": Real(0.0, 1.0),
        "predict": Choice(("hidden", "all")),
        "half_life_days": Choice((0.0, 30.0, 90.0, 365.0)),
    }

    def __init__(self, config: BprConfig | None = None) -> None:
        self.config = config or BprConfig()
        self._take(Trained.none())

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn the vectors.

        Raises:
            DataError: The data has no positive event.
        """
        rng, n = run.rng(self.name, "negatives"), self.config.negatives

        def loss(people: Array, items: Array, targets: Sparse, had: Sparse) -> Slopes:
            return pairs_loss(people, items, draw(targets, had, n, rng))

        return self._take(fit_summed(data, self.config, Objective(self.name, loss), run))

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
        """Return the k items that each person's history puts first."""
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


Pairs = tuple[I64, I64, I64, F32]
"""People, items had, items not had, and weights, all (N,)."""


def draw(targets: Sparse, had: Sparse, n: int, rng: np.random.Generator) -> Pairs:
    """Return ``n`` pairs for each target: against items drawn evenly; what the person had is left out."""
    rows, columns = (np.repeat(part.astype(np.int64), n) for part in targets.tocoo().coords)
    drawn = rng.integers(0, targets.shape[1], len(rows))
    had_rows, had_columns = had.tocoo().coords
    owned = np.sort(had_rows.astype(np.int64) * had.shape[1] + had_columns)
    keys = rows * had.shape[1] + drawn
    places = np.minimum(np.searchsorted(owned, keys), len(owned) - 1)
    new = owned[places] != keys
    return rows[new], columns[new], drawn[new], np.repeat(targets.data, n)[new]


def pairs_loss(people: Array, items: Array, pairs: Pairs) -> Slopes:
    """Return the weighted mean of -log sigmoid(s_ui - s_uj), and its slopes by people (B, d) and items (M, d)."""
    from scipy.sparse import csr_array

    rows, better, worse, weights = pairs
    total = max(float(weights.sum()), 1.0)
    gaps = score_gaps(people, items, pairs)
    loss = float(weights @ np.logaddexp(0, -gaps)) / total
    pull = (weights / (1.0 + np.exp(np.minimum(gaps, 80.0))) / total).astype(people.dtype)
    values, columns = np.concatenate([-pull, pull]), np.concatenate([better, worse])
    slope = csr_array((values, (np.concatenate([rows, rows]), columns)), shape=(len(people), len(items)))
    return loss, slope @ items, slope.T @ people


def score_gaps(people: Array, items: Array, pairs: Pairs) -> Array:
    """Return s_ui - s_uj (N,) of pairs: from all scores where that is less work, else pair by pair."""
    rows, better, worse, _ = pairs
    if len(people) * len(items) <= _CELLS_OF_A_PAIR * len(rows):
        scores = people @ items.T
        return np.asarray(scores[rows, better] - scores[rows, worse])
    gaps = np.empty(len(rows), dtype=people.dtype)
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        np.einsum("nd,nd->n", people[rows[part]], items[better[part]] - items[worse[part]], out=gaps[part])
    return gaps
