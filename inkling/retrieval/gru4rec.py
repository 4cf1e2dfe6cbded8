"""A state that is carried from event to event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval._sequence_config import SequenceConfig


class Gru4recConfig(SequenceConfig, frozen=True, kw_only=True):
    """Settings of ``gru4rec``; ``heads`` has no meaning here."""

    popularity: float = 0.5
    """Negatives are drawn by the items' counts to this power; 0 draws all items alike."""


class Gru4rec(SequenceModel):
    """GRU4Rec (Hidasi et al. 2016), with many sampled negatives by popularity (Hidasi and Karatzoglou 2018).

    Their ranking losses gave way to the softmax with logQ correction, which did not need them; ``loss`` brings
    ``bpr`` back.
    """

    name = "gru4rec"
    Config = Gru4recConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    space: ClassVar[Space] = {
        "dim": Choice((64, 128, 256)),
        "blocks": Whole(1, 2),
        "dropout": Real(0.1, 0.6),
        "lr": Real(3e-4, 6e-3, log=True),
        "popularity": Real(0.0, 1.0),
        "negatives": Whole(128, 4096, log=True),
    }

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.gru import Gru

        return Gru(self.config.dim, blocks=self.config.blocks, dropout=self.config.dropout)
