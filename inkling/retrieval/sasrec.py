"""Self-attention over what a person did last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval._sequence_config import SequenceConfig


class SasrecConfig(SequenceConfig, frozen=True, kw_only=True):
    """Settings of ``sasrec``."""


class Sasrec(SequenceModel):
    """SASRec (Kang and McAuley 2018) in its modern form.

    A softmax over many items instead of one negative (Klenitskiy and Vasilev 2023), gated pre-norm blocks with SwiGLU
    (LiGR, Borisyuk et al. 2025; eSASRec, Tikhonovich et al. 2025), distances instead of places, and cosines with a
    learned scale, so that an untrained network already answers with what is near the last item.
    """

    name = "sasrec"
    Config = SasrecConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    space: ClassVar[Space] = {
        "dim": Choice((64, 128, 256)),
        "blocks": Whole(1, 3),
        "dropout": Real(0.1, 0.6),
        "lr": Real(3e-4, 6e-3, log=True),
        "weight_decay": Real(1e-4, 0.3, log=True),
        "negatives": Whole(128, 4096, log=True),
        "scale": Real(6.0, 30.0),
    }

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.ligr import Ligr

        config = self.config
        return Ligr(config.dim, blocks=config.blocks, heads=config.heads, dropout=config.dropout)
