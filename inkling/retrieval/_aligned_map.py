"""From an item's text to a place among collaborative vectors, learned: the answering side, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import F32, I32, Array
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._matrix import people_by_items, scale_rows


@dataclass(frozen=True, eq=False)
class TextMap:
    """A two-layer network, or a generator of residual codes with their decoder; plus where the warm items stand.

    ``weights`` are the layers by name: ``in``, ``out`` for the network; ``in``, ``code0``, ``code1``, ... (logits),
    ``book0``, ... (vectors), ``decode`` and ``out`` for the generator; ``.b`` after a name is its bias.
    """

    weights: Mapping[str, F32]
    warm: F32  # (W, e) collaborative vectors of length one, in the order of the warm rows

    def __call__(self, inputs: F32) -> F32:
        """Return places (N, e) of length one for texts and numbers (N, d)."""
        hidden = self._layer("in", inputs)
        if "book0" in self.weights:
            generated = np.zeros((len(inputs), self.weights["book0"].shape[1]), np.float32)
            level = 0
            while f"book{level}" in self.weights:
                logits = hidden @ self.weights[f"code{level}"] + self.weights[f"code{level}.b"]
                shares = np.exp(logits - logits.max(axis=1, keepdims=True))
                generated += (shares / shares.sum(axis=1, keepdims=True)) @ self.weights[f"book{level}"]
                level += 1
            hidden = self._layer("decode", generated)
        return normalize_rows(np.asarray(hidden @ self.weights["out"] + self.weights["out.b"], np.float32))

    def _layer(self, name: str, x: F32) -> F32:
        out: F32 = np.maximum(x @ self.weights[name] + self.weights[f"{name}.b"], 0)
        return out

    def places(self, inputs: F32, warm: I32) -> F32:
        """Return a place (n, e) for every item: warm ones stand where they are, others where their text puts them."""
        out = self(inputs)
        out[warm] = self.warm
        return out

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes."""
        return {**{f"map.{name}": value for name, value in self.weights.items()}, "map_warm": self.warm}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> TextMap | None:
        """Build from the arrays of :meth:`to_arrays`; None where there are none."""
        if "map_warm" not in arrays:
            return None
        weights = {
            name.removeprefix("map."): np.asarray(value, np.float32)
            for name, value in arrays.items()
            if name.startswith("map.")
        }
        return cls(weights, np.asarray(arrays["map_warm"], np.float32))


def collaborative(data: Dataset, warm: I32, dim: int, run: Run) -> F32:
    """Return (W, e) vectors of length one of the warm items: directions in which people agree, a truncated SVD.

    People with many items say less about each.
    """
    from scipy.sparse.linalg import svds

    events = data.interactions
    events = events.select((events.weights > 0) & (events.item_rows >= 0))
    matrix = people_by_items(events, np.ones(len(events)), (data.n_users, data.n_items), signal="binary")[:, warm]
    matrix = scale_rows(matrix, 1.0 / np.sqrt(np.maximum(np.diff(matrix.indptr), 1)))
    k = min(dim, min(matrix.shape) - 1)
    if k < 1:
        return np.ones((len(warm), 1), np.float32)
    start = run.rng("aligned", "svd").standard_normal(min(matrix.shape))
    _, strengths, right = svds(matrix.astype(np.float64), k=k, v0=start)
    return normalize_rows((right * strengths[:, None]).T.astype(np.float32))
