"""How ``lightgcn`` learns its vectors. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor

from inkling.core.arrays import F32
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.training import losses
from inkling.training.loop import Around, Plan, train
from inkling.training.nets.graph import Edges, LightGraph
from inkling.training.optim import Optim
from inkling.training.samplers import Popularity

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from inkling.retrieval.lightgcn import LightgcnConfig


def fit_graph(graph: csr_array, start: F32, config: LightgcnConfig, run: Run) -> F32:
    """Return the final vectors (n, d) of the items.

    Args:
        graph: People x items, normalised.
        start: (n, d)
        config: How to train.
        run: Seed, threads, device, progress.

    Raises:
        DataError: Nobody has two items.
    """
    pairs = _Pairs.of(graph, config.batch, run)
    net = LightGraph(torch.from_numpy(start), pairs.edges(graph.shape, run.device), steps=config.steps).to(run.device)
    plan = Plan(
        epochs=config.epochs,
        optim=Optim(kind="adam", lr=config.learning_rate),
        shape="cosine",
        max_seconds=config.max_seconds,
    )
    train(net, pairs.epoch, _Objective(net, pairs, config, run), plan, run, Around(stage="lightgcn"))
    with torch.no_grad():
        vectors: F32 = net()[1].cpu().numpy()
    return vectors


@dataclass(frozen=True)
class _Batch:
    """Pairs of a step: people, items and the values of their edges, all (B,)."""

    columns: tuple[Tensor, Tensor, Tensor]

    def __len__(self) -> int:
        return len(self.columns[0])


@dataclass(frozen=True)
class _Pairs:
    """All edges of the graph, and those that are asked for: of people with more than one."""

    people: Tensor  # (E,)
    items: Tensor  # (E,)
    values: Tensor  # (E,)
    asked: Tensor  # (M,)
    batch: int
    run: Run

    @classmethod
    def of(cls, graph: csr_array, batch: int, run: Run) -> _Pairs:
        lengths = np.diff(graph.indptr)
        people = np.repeat(np.arange(len(lengths)), lengths)
        asked = np.flatnonzero(lengths[people] > 1)
        if not len(asked):
            raise DataError("'lightgcn' cannot be fitted: nobody has two items.", hint="Use form = 'filter'.")
        columns = (people, graph.indices.astype(np.int64), graph.data, asked)
        whose, items, values, chosen = (torch.from_numpy(column).to(run.device) for column in columns)
        return cls(whose, items, values, chosen, batch, run)

    def edges(self, shape: tuple[int, int], device: str) -> Edges:
        edges = Edges.of(self.people, self.items, self.values, shape)
        return Edges(edges.forward.to(device), edges.backward.to(device))

    def epoch(self, epoch: int) -> list[_Batch]:
        """Return the pairs of an epoch in an order of its own."""
        order = torch.from_numpy(self.run.rng("lightgcn", "order", str(epoch)).permutation(len(self.asked)))
        return list(self._batches(self.asked[order.to(self.asked.device)]))

    def _batches(self, order: Tensor) -> Iterator[_Batch]:
        for begin in range(0, len(order), self.batch):
            places = order[begin : begin + self.batch]
            yield _Batch((self.people[places], self.items[places], self.values[places]))


class _Objective:
    """The loss of a batch against sampled items."""

    def __init__(self, net: LightGraph, pairs: _Pairs, config: LightgcnConfig, run: Run) -> None:
        self._net, self._config = net, config
        counts = torch.bincount(pairs.items, minlength=len(net.items))
        self._sampler = Popularity(counts, alpha=config.popular_negatives)
        self._random = Generator().manual_seed(int(run.rng("lightgcn", "negatives").integers(2**62)))

    def __call__(self, batch: _Batch) -> Tensor:
        n = self._config.negatives
        shared = self._config.loss == "softmax"
        rows, log_q = self._sampler.draw((n,) if shared else (len(batch), n), self._random)
        positive, negative = (logits / self._config.temperature for logits in self._net.logits(batch.columns, rows))
        if not shared:
            return losses.bpr(positive, negative)
        hits = rows[None, :] == batch.columns[1][:, None]
        expected = log_q + float(np.log(n))
        return losses.sampled_softmax(positive, negative, log_expected=expected, hits=hits)
