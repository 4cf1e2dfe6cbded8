"""Tastes spread over the graph of people and items: trained, or as a filter in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._dense import retrieve
from inkling.retrieval._factors import Factors, Served
from inkling.retrieval._matrix import Signal, column_sums, people_by_items, signals
from inkling.retrieval._neighbours import Neighbours
from inkling.retrieval._spectral import low_pass, normalised, roots
from inkling.retrieval._summed import Summed
from inkling.retrieval._taste import AtLeastZero, Count, Positive, TasteConfig, day_length, decay, grounds, tastes
from inkling.retrieval.base import Because
from inkling.training.extra import need_torch

if TYPE_CHECKING:
    from scipy.sparse import csr_array

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class LightgcnConfig(TasteConfig, frozen=True, kw_only=True):
    """Settings of ``lightgcn``."""

    form: Literal["filter", "trained"] = "filter"
    """GF-CF, a filter in closed form that needs no training, or LightGCN, trained."""
    dim: AtLeastOne = 128
    """Length of the vectors; filter: how many low frequencies pass whole."""
    low: AtLeastZero = 0.1
    """filter: what the low frequencies are worth beside the neighbours."""
    neighbours: Count = 200
    """filter: neighbours kept for each item; 0 keeps all (items x items places)."""
    steps: Annotated[int, msgspec.Meta(ge=0)] = 1
    """trained: how often vectors are spread from items to people and back; one is two layers of LightGCN."""
    start: Literal["spectral", "random"] = "spectral"
    """trained: begin with the graph's low frequencies, or anywhere."""
    loss: Literal["softmax", "bpr"] = "softmax"
    """trained: softmax over sampled items with the logQ correction, or Bayesian personalised ranking (the paper's)."""
    temperature: Positive = 0.15
    """trained: cosines are divided by it."""
    negatives: AtLeastOne = 1024
    """trained: sampled items: for a whole batch (softmax), or for each of its people (bpr)."""
    popular_negatives: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """trained: items are sampled by their popularity to this power."""
    epochs: AtLeastOne = 20
    """trained: rounds over all pairs."""
    batch: AtLeastOne = 4096
    """trained: pairs of a step."""
    learning_rate: Positive = 0.003
    """trained: of Adam; it falls to 0 along half a cosine."""
    max_seconds: AtLeastZero = 0.0
    """trained: training ends after so long; 0 is no limit."""
    signal: Signal = "binary"
    """Several events of a person with an item: 1, log(1 + sum of weights), or the sum."""
    fit_half_life_days: AtLeastZero = 0.0
    """Age at which a training event counts half; 0 is no decay."""


class Lightgcn:
    """Graph convolution without weights: LightGCN (He et al. 2020), or its closed form GF-CF (Shen et al. 2021).

    filter: s = r (A'A + low D^-1/2 V V' D^1/2), with A the normalised graph, D the items' sizes, and V the right
    singular vectors of A. The first part is kept as each item's strongest neighbours.

    trained: vectors E of items are spread, P = mean of (A'A)^k E over k, and a person is A_u P. People have no vector
    of their own, which is LightGCN with theirs at zero: so a history is folded in exactly as training saw it, whoever
    it belongs to. Logits are cosines, from which the edge in question is taken out.
    """

    name = "lightgcn"
    Config = LightgcnConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"low": 0.0},
        {"low": 1.0},
        {"form": "trained", "dim": 64},
    )
    space: ClassVar[Space] = {
        "form": Choice(("filter", "trained")),
        "dim": Choice((32, 64, 128, 256)),
        "low": Real(0.05, 3.0, log=True),
        "steps": Whole(0, 3),
        "temperature": Real(0.05, 0.5, log=True),
        "popular_negatives": Real(0.0, 1.0),
        "epochs": Whole(5, 60, log=True),
        "learning_rate": Real(0.0005, 0.02, log=True),
        "half_life_days": Choice((0.0, 30.0, 90.0, 365.0)),
    }

    def __init__(self, config: LightgcnConfig | None = None) -> None:
        self.config = config or LightgcnConfig()
        nothing = np.zeros((0, 1), dtype=np.float32)
        self._take(nothing, nothing, Neighbours.none(0), np.inf)

    def _take(self, vectors: F32, inputs: F32, near: Neighbours, day: float) -> None:
        power = 0.5 if self.config.form == "trained" else 0.0
        fold = Summed(np.zeros(vectors.shape[1]), power)
        self._served = Served(Factors(vectors), inputs, fold, self.config, self.config.signal, day)
        self._near = near

    def fit(self, data: Dataset, run: Run) -> Self:
        """Solve for the filter, or train the vectors.

        Raises:
            DataError: The data has no positive event.
            MissingExtraError: The trained form was asked for, and torch is not installed.
        """
        if self.config.form == "trained":
            need_torch("'lightgcn' with form = 'trained'")
        events = signals(data, name=self.name)
        day = day_length(data)
        weights = events.weights * decay(data.until - events.ts, self.config.fit_half_life_days, day)
        matrix = people_by_items(events, weights, (data.n_users, data.n_items), signal=self.config.signal)
        graph, scale = normalised(matrix), roots(column_sums(matrix)).astype(np.float32)[:, None]
        if self.config.form == "trained":
            vectors = self._train(graph, run)
            self._take(normalize_rows(vectors), vectors * scale, Neighbours.none(data.n_items), day)
            return self
        _, low = low_pass(graph, self.config.dim, run)
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        self._take(low * inverse, low * scale * np.float32(self.config.low), self._neighbours(graph), day)
        return self

    def _train(self, graph: csr_array, run: Run) -> F32:
        """Return the vectors (n, d) of the items, zeros for those that nobody had."""
        from inkling.retrieval._graph_fit import fit_graph

        n_items, dim = graph.shape[1], self.config.dim
        start = run.rng(self.name, "start").standard_normal((n_items, dim), dtype=np.float32) / np.float32(np.sqrt(dim))
        if self.config.start == "spectral":
            sizes, low = low_pass(graph, dim, run)
            start[:, : len(sizes)] = low * sizes * np.float32(np.sqrt(n_items / dim))
            start[:, len(sizes) :] *= 0.01
        vectors = fit_graph(graph, start, self.config, run)
        vectors[column_sums(graph) == 0] = 0.0
        return vectors

    def _neighbours(self, graph: csr_array) -> Neighbours:
        """Return each item's strongest neighbours in A'A."""
        columns = graph.T.tocsr()
        return Neighbours.build(
            lambda block: columns[block] @ graph,
            lambda values, rows, targets: np.where(rows == targets, 0.0, values).astype(np.float32),
            graph.shape[1],
            self.config.neighbours,
        )

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): what each person's history reaches through the graph."""
        out = self._served.scores(query)
        if self._near.items.shape[1]:
            width = min(len(self._near), query.n_items)
            for row, taste in zip(out, self._tastes(query), strict=True):
                row[:width] += self._near.score(taste, len(self._near))[:width]
        return out

    def _tastes(self, query: Query) -> Any:
        return tastes(query, len(self._near), self.config, self._served.day)

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return the same as ``retrieve`` by an index, where there are many items and vectors say all."""
        return None if self._near.items.shape[1] else self._served.nearest(query, k)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that each person's history reaches most."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items nearest in the graph: by vectors where trained, else by shared people."""
        if self._near.items.shape[1]:
            return self._near.similar(item_rows, k, source=self.name)
        return self._served.factors.similar(item_rows, k, source=self.name)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return what each item of the history adds to the score of ``item_row``: exactly, they sum up to it."""
        spread = self._served.why(query, item_row)
        rows = [np.array([because.item_row for because in spread], dtype=np.int32)]
        shares = [np.array([because.weight for because in spread], dtype=np.float32)]
        if self._near.items.shape[1] and 0 <= item_row < len(self._near):
            had, said = self._near.contributions(next(self._tastes(query)), item_row)
            rows.append(had)
            shares.append(said)
        return grounds("because_item", np.concatenate(rows), np.concatenate(shares))

    def state(self) -> Mapping[str, Array]:
        """Return vectors and neighbours."""
        vectors: dict[str, Array] = {"vectors": self._served.factors.vectors, "inputs": self._served.inputs}
        return {**vectors, **self._near.to_arrays(), "day": np.array([self._served.day])}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        vectors, inputs = (np.asarray(state[name], dtype=np.float32) for name in ("vectors", "inputs"))
        self._take(vectors, inputs, Neighbours.from_arrays(state), float(state["day"][0]))
        return self
