"""Self-attention over what a person did last."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.space import Choice, Real, Space, Whole
from inkling.retrieval._ligr_rows import LigrRows
from inkling.retrieval._sequence import WEIGHTS, SequenceModel
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

    def _take(self, state: Mapping[str, Array]) -> None:
        super()._take(state)
        self.__dict__.pop("_rows", None)

    @cached_property
    def _rows(self) -> LigrRows | None:
        """The network in numpy, where that is the faster way: one block, of which the last place is all that counts."""
        found = LigrRows.of(self._weights, start=WEIGHTS)
        return found if found is not None and len(found.blocks) == 1 else None

    def _asked(self, rows: I32, ts: I64) -> F32:
        return super()._asked(rows, ts) if self._rows is None else self._rows.people(self._items[rows])

    def body(self) -> Any:
        """Return the network."""
        from inkling.training.nets.ligr import Ligr

        config = self.config
        return Ligr(config.dim, blocks=config.blocks, heads=config.heads, dropout=config.dropout)
