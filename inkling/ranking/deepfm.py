"""A factorisation machine and a deep network over the same vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.ranking._deep import Deep, DeepConfig, Drop, Parameters
from inkling.ranking._inputs import Inputs
from inkling.ranking._layers import averaged, climb, stack, vectors


class DeepFMConfig(DeepConfig, frozen=True, kw_only=True):
    """Settings of ``deepfm``; ``item_dim`` above 0 is the size of every field's vector."""

    dim: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Size of the fields' vectors where items have none."""


class DeepFM(Deep):
    """DeepFM (Guo et al. 2017): log odds = w.x + sum over pairs of fields <v_i x_i, v_j x_j> + a deep network.

    Fields are the columns, the context, the item's id and the mean of what the person had; the deep part reads the same
    vectors. Its first layer reads v_i x_i of every field, so vector and layer are folded into one matrix when served.
    """

    name = "deepfm"
    Config = DeepFMConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"item_dim": 0}, {"loss": "pointwise"})

    def __init__(self, config: DeepFMConfig | None = None) -> None:
        super().__init__()
        self.config: DeepFMConfig = config or DeepFMConfig()

    @property
    def _dim(self) -> int:
        return self.config.item_dim or self.config.dim

    def _start(self, rng: np.random.Generator) -> dict[str, F32]:
        width, dim, first = self._reader.width, self._dim, self.config.hidden[0]
        fields = self._reader.fields
        n_fields = int(fields.max(initial=-1)) + 1
        scale = (2 / max(n_fields, 1)) ** 0.5 / 0.3
        own: dict[str, F32] = {
            "w": np.zeros(width, dtype=np.float32),
            "v": rng.normal(0, 0.1, (width, dim)).astype(np.float32),
            "first": rng.normal(0, scale, (n_fields, dim, first)).astype(np.float32),
            "first.b": np.zeros(first, dtype=np.float32),
            "bias": np.zeros(1, dtype=np.float32),
        }
        if self.config.item_dim:
            n_codes = self._reader.ids.n_codes
            own |= {"items": vectors(rng, n_codes, dim), "items.w": np.zeros(n_codes + 1, dtype=np.float32)}
            own["first.ids"] = rng.normal(0, 1 / dim**0.5, (2 * dim, first)).astype(np.float32)
        return own | stack(rng, first, self.config.hidden[1:]) | {"out": _end(rng, self.config.hidden[-1])}

    def _matrix(self, xp: Any, p: Parameters) -> Any:
        """Return the first layer (D, hidden) over the inputs: of input i, v_i through its field's weights."""
        return xp.einsum("dk,dkh->dh", p["v"], p["first"][self._reader.fields])

    def _folded(self, p: Mapping[str, F32]) -> Mapping[str, F32]:
        return {**p, "matrix": self._matrix(np, p), "v2": p["v"] ** 2}

    def _forward(self, xp: Any, p: Parameters, inputs: Inputs, drop: Drop) -> Any:
        x = inputs.x
        linear = x @ p["w"] + p["bias"]
        total = x @ p["v"]
        squares = x**2 @ (p["v2"] if "v2" in p else p["v"] ** 2)
        hidden = x @ (p["matrix"] if "matrix" in p else self._matrix(xp, p)) + p["first.b"]
        if "items" in p:
            item, had = p["items"][inputs.items], averaged(p, inputs)[inputs.people]
            linear = linear + p["items.w"][inputs.items]
            total = total + item + had
            squares = squares + item**2 + had**2
            hidden = hidden + xp.concatenate([item, had], axis=1) @ p["first.ids"]
        pairs = 0.5 * (total**2 - squares).sum(1)
        return linear + pairs + climb(p, drop(hidden.clip(0)), drop) @ p["out"]


def _end(rng: np.random.Generator, n: int) -> F32:
    return rng.normal(0, 0.1 / n**0.5, n).astype(np.float32)
