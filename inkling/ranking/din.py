"""What a person had speaks for a candidate as far as it is near to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.core.space import Choice, Space
from inkling.ranking._deep import DEEP_SPACE, Deep, DeepConfig, Drop, Parameters
from inkling.ranking._inputs import Inputs
from inkling.ranking._layers import climb, layer, stack, vectors


class DinConfig(DeepConfig, frozen=True, kw_only=True):
    """Settings of ``din``."""

    item_dim: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Size of an item's vector."""
    attention: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Width of the layer that weighs what a person had."""


class Din(Deep):
    """DIN (Zhou et al. 2018): each candidate sums the person's history by weights of its own, which are not normalised.

    A weight comes from the candidate, the past item, their product, and how long ago it was (DIN's network reads their
    difference too, which a first layer over both already holds). Beside the sum, a deep network reads columns, context,
    the candidate's vector, and sum times candidate.
    """

    name = "din"
    Config = DinConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"loss": "pointwise"})
    space: ClassVar[Space] = {**DEEP_SPACE, "item_dim": Choice((8, 16, 32))}

    def __init__(self, config: DinConfig | None = None) -> None:
        super().__init__()
        self.config: DinConfig = config or DinConfig()

    def _start(self, rng: np.random.Generator) -> dict[str, F32]:
        dim, wide = self.config.item_dim, self.config.attention
        width = self._reader.width + 3 * dim
        own: dict[str, F32] = {
            "items": vectors(rng, self._reader.ids.n_codes, dim),
            "near.item": layer(rng, dim, wide),
            "near.had": layer(rng, dim, wide),
            "near.both": layer(rng, dim, wide),
            "near.age": np.zeros(wide, dtype=np.float32),
            "near.b": np.full(wide, 0.1, dtype=np.float32),
            "near.out": rng.normal(0.3, 0.1, wide).astype(np.float32),
            "near.end": np.full(1, 0.2, dtype=np.float32),
            "bias": np.zeros(1, dtype=np.float32),
            "linear": np.zeros(width, dtype=np.float32),
            "out": rng.normal(0, 0.1 / self.config.hidden[-1] ** 0.5, self.config.hidden[-1]).astype(np.float32),
        }
        return own | stack(rng, width, self.config.hidden)

    def _forward(self, xp: Any, p: Parameters, inputs: Inputs, drop: Drop) -> Any:
        item = p["items"][inputs.items]
        taste = interest(xp, p, item, inputs)
        x = xp.concatenate([inputs.x, item, taste, item * taste], axis=1)
        return x @ p["linear"] + climb(p, x, drop) @ p["out"] + p["bias"]


def interest(xp: Any, p: Parameters, item: Any, inputs: Inputs) -> Any:
    """Return (N, k): the sum of each person's past items, weighed for each candidate (N, k)."""
    had = p["items"][inputs.history]  # (B, L, k)
    if not had.shape[1]:
        return item * 0
    told = had @ p["near.had"] + inputs.ages[:, :, None] * p["near.age"] + p["near.b"]
    if len(had) == 1:
        # One person: past items go into the weights, so that one product with the candidates holds all pairs.
        wide = p["near.b"].shape[0]
        past = (had[0][:, :, None] * p["near.both"]).swapaxes(0, 1).reshape(had.shape[2], -1)  # (k, L a)
        both = (item @ past).reshape(len(item), -1, wide) + (item @ p["near.item"])[:, None, :] + told
        weights = (both.clip(0) @ p["near.out"] + p["near.end"]) * (inputs.history > 0)
        return weights @ had[0]
    own = had[inputs.people]
    both = (item @ p["near.item"])[:, None, :] + told[inputs.people] + (item[:, None, :] * own) @ p["near.both"]
    weights = (both.clip(0) @ p["near.out"] + p["near.end"]) * (inputs.history > 0)[inputs.people]
    return (weights[:, :, None] * own).sum(1)
