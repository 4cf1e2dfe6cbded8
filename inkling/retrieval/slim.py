"""Sparse weights from items to items, each learned from an item's nearest neighbours only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, I64
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._linear import LinearConfig, chosen_items, products, votes
from inkling.retrieval._matrix import signals
from inkling.retrieval._neighbours import Neighbours
from inkling.retrieval._taste import AtLeastZero, Count, Positive, day_length
from inkling.retrieval._weights import row_blocks

_TOGETHER = 128  # items solved side by side: large enough for numpy, small enough for the cache


class SlimConfig(LinearConfig, frozen=True, kw_only=True):
    """Settings of ``slim``."""

    l1: AtLeastZero = 1.0
    """Lasso penalty, in co-occurrences: the larger, the fewer items say anything about another."""
    l2: Positive = 100.0
    """Ridge penalty: the larger, the more evenly those that say something share it."""
    candidates: Annotated[int, msgspec.Meta(ge=1)] = 100
    """So many nearest items by cosine may say something about an item (fsSLIM)."""
    neighbours: Count = 300
    """So many of the largest weights of an item on others are kept; 0 keeps all."""
    own: AtLeastZero = 0.0
    """What an item says for itself, where people buy again: the model alone cannot learn it, its diagonal is 0."""
    sweeps: Annotated[int, msgspec.Meta(ge=1)] = 50
    """At most so many rounds of coordinate descent."""
    tolerance: Positive = 1e-4
    """No further round where no weight moved by more."""


class Slim(ItemToItem):
    """Sparse linear method with feature selection (Ning and Karypis 2011).

    For each item j it minimises 1/2 |x_j - X w|^2 + l2/2 |w|^2 + l1 |w|_1 over w >= 0 with w_j = 0, by coordinate
    descent on the Gram matrix of the item's candidates, for many items at a time.
    """

    name = "slim"
    Config = SlimConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"l2": 20.0},
        {"l2": 300.0, "l1": 3.0},
        {"half_life_days": 60.0},
        {"signal": "log", "own": 0.5, "repeats": "session"},
        {"signal": "log", "own": 0.5, "repeats": "session", "half_life_days": 180.0},
    )
    space: ClassVar[Space] = {
        "l1": Real(0.05, 20.0, log=True),
        "l2": Real(3.0, 1000.0, log=True),
        "candidates": Whole(20, 300, log=True),
        "own": Choice((0.0, 0.2, 0.5, 1.0)),
        "signal": Choice(("binary", "log")),
        "repeats": Choice(("once", "session")),
        "half_life_days": Choice((0.0, 30.0, 60.0, 120.0)),
        "fit_half_life_days": Choice((0.0, 60.0, 180.0)),
    }

    def __init__(self, config: SlimConfig | None = None) -> None:
        self.config = config or SlimConfig()
        self._said = Neighbours.none(0)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn each item's weights.

        Raises:
            DataError: The data has no positive event.
        """
        from scipy.sparse import csr_array

        config = self.config
        events = signals(data, name=self.name)
        self._day = day_length(data)
        matrix = votes(events, (data.until - events.ts).astype(np.float64), data, config, day=self._day)
        items = chosen_items(matrix, config.max_items, run, name=self.name)
        gram = products(matrix[:, items], matrix[:, items])
        sources, weights = _learned(gram, config, run)
        targets = np.repeat(items, sources.shape[1])
        if config.own:
            sources, targets = np.append(sources, np.arange(len(items))), np.append(targets, items)
            weights = np.append(weights, np.full(len(items), config.own, dtype=np.float32))
        kept = weights.ravel() > 0
        places = (items[sources.ravel()[kept]], targets[kept])
        said = csr_array((weights.ravel()[kept], places), shape=(data.n_items, data.n_items))
        self._said = Neighbours.build(lambda block: said[block], _as_it_is, data.n_items, config.neighbours)
        return self


def _as_it_is(values: F32, _rows: I32, _columns: I32) -> F32:
    return values


def _learned(gram: F32, config: SlimConfig, run: Run) -> tuple[I64, F32]:
    """Return each item's candidates and what they say about it (m, K), (m, K)."""
    k = min(config.candidates, len(gram) - 1)
    sources, weights = np.zeros((len(gram), k), dtype=np.int64), np.zeros((len(gram), k), dtype=np.float32)
    if k < 1:
        return sources, weights
    blocks = row_blocks(len(gram), size=_TOGETHER)
    sizes = np.sqrt(np.maximum(gram.diagonal(), 1e-12))
    for block in run.track(blocks, "slim", total=len(blocks)):
        near = gram[block] / sizes
        near[np.arange(len(near)), np.arange(block.start, block.stop)] = -1.0
        sources[block] = np.argpartition(-near, k - 1, axis=1)[:, :k]
        mine = sources[block].T
        among = gram[mine[:, None, :], mine[None, :, :]]
        weights[block] = descend(among, gram[mine, np.arange(block.start, block.stop)], config).T
    return sources, weights


def descend(among: F32, towards: F32, config: SlimConfig) -> F32:
    """Return non-negative weights (K, B) of B elastic nets at a time.

    Args:
        among: (K, K, B) products of the candidates with each other; symmetric.
        towards: (K, B) products of the candidates with the item that each net is about.
        config: Penalties, and when to stop.
    """
    weights, rest = np.zeros_like(towards), towards - np.float32(config.l1)
    size = np.einsum("kkb->kb", among)
    for _ in range(config.sweeps):
        moved = np.float32(0.0)
        for at in range(len(weights)):
            wanted = np.maximum((rest[at] + size[at] * weights[at]) / (size[at] + np.float32(config.l2)), 0)
            step = wanted - weights[at]
            largest = np.abs(step).max()
            if largest > 0:
                rest -= among[at] * step
                weights[at] = wanted
                moved = max(moved, largest)
        if moved < config.tolerance:
            break
    return weights
