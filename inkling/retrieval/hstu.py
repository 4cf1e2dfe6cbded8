"""Attention without a softmax that knows how long ago things were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval._sequence_config import SequenceConfig, Share


class HstuConfig(SequenceConfig, frozen=True, kw_only=True):
    """Settings of ``hstu``."""

    dropout: Share = 0.5
    """Share of numbers left out at random while training; without a softmax it learns by heart sooner."""


class Hstu(SequenceModel):
    """Hierarchical sequential transduction units (Zhai et al. 2024), time-aware.

    Pointwise aggregated attention: silu(QK' + places apart + time apart, in buckets that double), summed without a
    softmax, so that how much there was of something stays visible; gated by the place's own reading. Where the data has
    an order but no times, all times are alike and places alone speak. Time is between the events of the history; how
    long ago the last one was when the question is asked is not read.
    """

    name = "hstu"
    Config = HstuConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    space: ClassVar[Space] = {
        "dim": Choice((64, 128, 256)),
        "blocks": Whole(1, 4),
        "dropout": Real(0.1, 0.6),
        "lr": Real(3e-4, 6e-3, log=True),
        "weight_decay": Real(1e-4, 0.3, log=True),
        "negatives": Whole(128, 4096, log=True),
    }

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.hstu import Hstu as Net

        config = self.config
        return Net(config.dim, blocks=config.blocks, heads=config.heads, dropout=config.dropout, length=config.length)
