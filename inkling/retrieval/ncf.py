"""Neural collaborative filtering: a small network judges each pair of a person and an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._dense import retrieve
from inkling.retrieval._matrix import signals
from inkling.retrieval._taste import AtLeastZero, Positive
from inkling.retrieval._windows import Windows, latest
from inkling.training.extra import need_torch

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
_BLOCK = 16_384  # items that are judged together
_KNOWN = "known"


class NcfConfig(Config, frozen=True, kw_only=True):
    """Settings of ``ncf``."""

    dim: AtLeastOne = 32
    """Length of the vectors, in each of the two branches."""
    hidden: tuple[AtLeastOne, ...] = (32, 16)
    """Widths of the network's layers."""
    length: AtLeastOne = 50
    """So many of the latest positive events of a history are read."""
    negatives: AtLeastOne = 16
    """Items drawn for each event; with too few everything becomes likely."""
    popular_negatives: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """Items are drawn by their popularity to this power."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    """Share of the network that is left out in training."""
    epochs: AtLeastOne = 20
    """Rounds over all events."""
    batch: AtLeastOne = 1_024
    """Events of a step."""
    learning_rate: Positive = 0.003
    """Of AdamW; it falls to 0 along half a cosine."""
    weight_decay: AtLeastZero = 0.05
    """Decoupled: each step takes so much, times the learning rate, off all weights."""
    max_seconds: AtLeastZero = 0.0
    """Training ends after so long; 0 is no limit."""


class Ncf:
    """NeuMF (He et al. 2017): logit = w (p * q) + network([p', q']) + bias, by cross-entropy on drawn negatives.

    The paper gives each person vectors of their own. Here p and p' are the sums of input vectors of what a person had,
    over the root of its number (as in SVD++ and FISM), plus one that all share: so unknown people and what somebody
    just did are answered without another fit. Served by numpy, the catalogue in blocks.
    """

    name = "ncf"
    Config = NcfConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"popular_negatives": 0.0, "weight_decay": 0.2})
    space: ClassVar[Space] = {
        "dim": Choice((16, 32, 64)),
        "length": Whole(5, 100, log=True),
        "negatives": Whole(4, 64, log=True),
        "popular_negatives": Real(0.0, 1.0),
        "dropout": Real(0.0, 0.5),
        "epochs": Whole(5, 40, log=True),
        "learning_rate": Real(0.0005, 0.01, log=True),
        "weight_decay": Real(0.001, 1.0, log=True),
    }

    def __init__(self, config: NcfConfig | None = None) -> None:
        self.config = config or NcfConfig()
        dim, widths = self.config.dim, (2 * self.config.dim, *self.config.hidden)
        weights: dict[str, Array] = {
            f"{branch}_{part}": np.zeros((0, dim), dtype=np.float32)
            for branch in ("product", "network")
            for part in ("had", "item")
        }
        for place in range(len(self.config.hidden)):
            weights[f"layers.{place}.weight"] = np.zeros((widths[place + 1], widths[place]), dtype=np.float32)
            weights[f"layers.{place}.bias"] = np.zeros(widths[place + 1], dtype=np.float32)
        last = {"weigh.weight": dim, "judge.weight": widths[-1]}
        weights |= {name: np.zeros((1, width), dtype=np.float32) for name, width in last.items()}
        shared = {"shared": np.zeros((2, dim), np.float32), "bias": np.zeros(0, np.float32)}
        self._take({**weights, **shared}, np.zeros(0, dtype=np.bool_))

    def fit(self, data: Dataset, run: Run) -> Self:
        """Train the network.

        Raises:
            DataError: The data has no positive event.
            MissingExtraError: torch is not installed.
        """
        need_torch("'ncf'")
        from inkling.retrieval._ncf_fit import fit_neumf

        events = signals(data, name=self.name)
        ordered = data.scenario.time != "none"
        windows = Windows.of(events, self.config.length, ordered=ordered, rng=run.rng(self.name, "windows"))
        known = np.zeros(data.n_items, dtype=np.bool_)
        known[events.item_rows] = True
        self._take(fit_neumf(windows, data.n_items, self.config, run), known)
        return self

    def _take(self, weights: Mapping[str, Array], known: Bool) -> None:
        """Serve with these weights; what the first layer makes of each item is worked out once."""
        self._weights, self._known = dict(weights), known
        first: F32 = weights["layers.0.weight"] if self.config.hidden else np.zeros((0, 0), dtype=np.float32)
        self._inner: F32 = weights["network_item"] @ first[:, self.config.dim :].T if self.config.hidden else first

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): logits; 0 for items that nobody had."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        n = min(query.n_items, len(self._known))
        if not n:
            return out
        rows = latest(query.history, self.config.length, len(self._known))
        product, network = self._people(rows)
        weighed = product * self._weights["weigh.weight"]
        for begin in range(0, n, _BLOCK):
            block = slice(begin, min(begin + _BLOCK, n))
            out[:, block] = weighed @ self._weights["product_item"][block].T + self._weights["bias"][block]
            for row, person in zip(out, network, strict=True):
                row[block] += self._judged(person, block)
        out[:, :n] *= self._known[:n]
        return out

    def _people(self, rows: I32) -> tuple[F32, F32]:
        """Return the two vectors (B, d) of people from the items (B, L) that they had."""
        there = (rows >= 0).astype(np.float32)
        scale = there / np.sqrt(np.maximum(there.sum(axis=1, keepdims=True), 1.0))
        safe = np.maximum(rows, 0)
        product, network = (
            np.einsum("bl,bld->bd", scale, self._weights[f"{branch}_had"][safe]).astype(np.float32) + shared
            for branch, shared in zip(("product", "network"), self._weights["shared"], strict=True)
        )
        return product, network

    def _judged(self, person: F32, block: slice) -> F32:
        """Return the network's part (block,) of one person's logits."""
        weights = self._weights
        if not self.config.hidden:
            joint = weights["judge.weight"][0]
            said: F32 = weights["network_item"][block] @ joint[self.config.dim :] + person @ joint[: self.config.dim]
            return said
        own = weights["layers.0.weight"][:, : self.config.dim] @ person + weights["layers.0.bias"]
        x = np.maximum(self._inner[block] + own, 0.0)
        for place in range(1, len(self.config.hidden)):
            x = np.maximum(x @ weights[f"layers.{place}.weight"].T + weights[f"layers.{place}.bias"], 0.0)
        judged: F32 = x @ weights["judge.weight"][0]
        return judged

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that are likeliest for each person."""
        return retrieve(self, query, k)

    def state(self) -> Mapping[str, Array]:
        """Return the weights."""
        return {**self._weights, _KNOWN: self._known}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        weights = {name: np.asarray(array) for name, array in state.items() if name != _KNOWN}
        self._take(weights, np.asarray(state[_KNOWN], dtype=np.bool_))
        return self
