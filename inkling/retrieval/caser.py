"""Patterns in the last few events, found as in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._sequence import SequenceModel
from inkling.retrieval._sequence_config import One, SequenceConfig


class CaserConfig(SequenceConfig, frozen=True, kw_only=True):
    """Settings of ``caser``; ``blocks`` and ``heads`` have no meaning here."""

    window: One = 5
    """So many of the last events are looked at for each prediction."""
    horizontal: One = 16
    """Filters of each height from 1 to ``window``."""
    vertical: One = 4
    """Filters over the vectors' columns."""


class Caser(SequenceModel):
    """Caser (Tang and Wang 2018): convolutions over the last events' vectors, without its vector for the person."""

    name = "caser"
    Config = CaserConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    space: ClassVar[Space] = {
        "dim": Choice((64, 128, 256)),
        "window": Whole(3, 10),
        "horizontal": Whole(4, 64, log=True),
        "vertical": Whole(1, 8),
        "dropout": Real(0.1, 0.6),
        "lr": Real(3e-4, 6e-3, log=True),
    }

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.caser import Caser as Net

        config = self.config
        return Net(
            config.dim,
            window=config.window,
            horizontal=config.horizontal,
            vertical=config.vertical,
            dropout=config.dropout,
        )
