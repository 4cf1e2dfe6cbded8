"""A network that fills in what is hidden, asked for what is hidden behind the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from inkling.core.arrays import I64
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval._sequence_config import Part, SequenceConfig


class Bert4recConfig(SequenceConfig, frozen=True, kw_only=True):
    """Settings of ``bert4rec``."""

    blocks: int = 2
    """Layers of the network."""
    epochs: int = 24
    """Passes over the events at most; each predicts the hidden ones only, so it takes more than causal training."""
    hidden: Part = 0.3
    """Chance of an event to be hidden while training."""
    hidden_last: Part = 0.3
    """Chance of a sequence to hide its last event alone, as when it is asked for the next."""


class Bert4rec(SequenceModel):
    """BERT4Rec (Sun et al. 2019): attention both ways, trained by the Cloze task, asked with a mask behind the end."""

    name = "bert4rec"
    Config = Bert4recConfig
    shortest = 1
    room = 1  # for the mask
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    space: ClassVar[Space] = {
        "dim": Choice((64, 128, 256)),
        "blocks": Whole(1, 3),
        "hidden": Real(0.1, 0.6),
        "hidden_last": Real(0.0, 0.8),
        "dropout": Real(0.1, 0.5),
        "lr": Real(3e-4, 6e-3, log=True),
    }

    def batch(self, sequences: Any, index: I64, rng: np.random.Generator) -> Any:
        """Return a packed batch in which hidden events predict themselves."""
        from inkling.training.sequences import hidden_items

        share, last = self.config.hidden, self.config.hidden_last
        return hidden_items(sequences, index, share=share, last=last, rng=rng)

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.bert import Bert

        config = self.config
        return Bert(config.dim, blocks=config.blocks, heads=config.heads, dropout=config.dropout, length=config.length)
