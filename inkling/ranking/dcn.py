"""Crosses of features of rising degree, learned explicitly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.core.space import Space, Whole
from inkling.ranking._deep import DEEP_SPACE, Deep, DeepConfig, Drop, Parameters
from inkling.ranking._inputs import Inputs
from inkling.ranking._layers import averaged, climb, layer, stack, vectors


class DcnConfig(DeepConfig, frozen=True, kw_only=True):
    """Settings of ``dcn``."""

    item_dim: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Size of an item's vector; 0 reads neither ids nor what the person had."""
    crosses: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Layers of crossing: features meet up to this degree, plus one."""
    rank: Annotated[int, msgspec.Meta(ge=0)] = 32
    """Rank of a crossing's matrix (DCN-Mix with one expert); 0 is full rank."""


class Dcn(Deep):
    """DCN-V2 (Wang et al. 2021): x' = x0 * (W x + b) + x, layer on layer, beside a deep network on the same inputs.

    x0 holds the columns, the context, the item's vector, the mean of what the person had, and the product of both.
    """

    name = "dcn"
    Config = DcnConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"item_dim": 8}, {"loss": "pointwise"})
    space: ClassVar[Space] = {**DEEP_SPACE, "crosses": Whole(1, 4)}

    def __init__(self, config: DcnConfig | None = None) -> None:
        super().__init__()
        self.config: DcnConfig = config or DcnConfig()

    def _start(self, rng: np.random.Generator) -> dict[str, F32]:
        config = self.config
        width, rank = self._reader.width + 3 * config.item_dim, config.rank
        own: dict[str, F32] = {"bias": np.zeros(1, dtype=np.float32)}
        if config.item_dim:
            own["items"] = vectors(rng, self._reader.ids.n_codes, config.item_dim)
        for depth in range(config.crosses):
            small = rng.normal(0, 0.1 / max(width, 1) ** 0.5, (width, rank or width)).astype(np.float32)
            own |= {f"cross.u{depth}": small, f"cross.b{depth}": np.zeros(width, dtype=np.float32)}
            if rank:
                own[f"cross.v{depth}"] = layer(rng, rank, width)
        out = rng.normal(0, 0.1 / (width + config.hidden[-1]) ** 0.5, width + config.hidden[-1]).astype(np.float32)
        return own | stack(rng, width, config.hidden) | {"out": out}

    def _forward(self, xp: Any, p: Parameters, inputs: Inputs, drop: Drop) -> Any:
        x0 = inputs.x
        if "items" in p:
            item, had = p["items"][inputs.items], averaged(p, inputs)[inputs.people]
            x0 = xp.concatenate([x0, item, had, item * had], axis=1)
        x = x0
        for depth in range(self.config.crosses):
            crossed = x @ p[f"cross.u{depth}"]
            crossed = crossed @ p[f"cross.v{depth}"] if self.config.rank else crossed
            x = x0 * (crossed + p[f"cross.b{depth}"]) + x
        return xp.concatenate([x, climb(p, x0, drop)], axis=1) @ p["out"] + p["bias"]
