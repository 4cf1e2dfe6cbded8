"""A sequence network between a table of items and itself: what was chosen goes in, what may come next comes out."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.training.nets.table import ItemTable
from inkling.training.sequences import Batch


class SequenceNet(nn.Module):
    """Item vectors -> ``body`` -> a person's vector at each place, compared with the same item vectors.

    ``body`` takes (R, W, d), a layout and what is masked, and returns (R, W, d); its ``last`` answers for one sequence
    a row. Compared by dot product, or by cosine times a learned scale.
    """

    def __init__(self, table: ItemTable, body: Any, *, cosine: bool = False, scale: float = 10.0) -> None:
        """Compare by cosine times ``scale`` to begin with, or by dot product."""
        super().__init__()
        self.table, self.body = table, body
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale))) if cosine else None

    def forward(self, batch: Batch, vectors: Tensor | None = None) -> Tensor:
        """Return people's vectors (M, d) at the batch's places; ``vectors`` (R, W, d) are its items', where at hand."""
        given = self.items(batch.items) if vectors is None else vectors
        hidden = self.body(self.read(given), batch.layout, batch.masked)
        return self.person(hidden.flatten(0, 1)[batch.places])

    def read(self, vectors: Tensor) -> Tensor:
        """Return item vectors (..., d) as the body reads them: of length sqrt(d) where they are compared by cosine."""
        return vectors if self.log_scale is None else vectors * vectors.shape[-1] ** 0.5

    def person(self, hidden: Tensor) -> Tensor:
        """Return (..., d) as they are compared with items."""
        if self.log_scale is None:
            return hidden
        return functional.normalize(hidden, dim=-1) * self.log_scale.exp()

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Return item vectors (n, d), or those of ``rows``, as they are compared with people."""
        vectors: Tensor = self.table(rows)
        return vectors if self.log_scale is None else functional.normalize(vectors, dim=-1)


class Served(nn.Module):
    """What answers: the vectors (B, L, d) of histories, their times and lengths -> people's vectors (B, d)."""

    def __init__(self, net: SequenceNet) -> None:
        """Serve ``net``; the item vectors come in with the question."""
        super().__init__()
        self.net = net

    def forward(self, vectors: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d)."""
        # Times are read by some networks only; an input that nothing reads would be lost in the export.
        vectors = self.net.read(vectors) + 0.0 * times[..., None].to(vectors.dtype)
        return self.net.person(self.net.body.last(vectors, times, lengths))


def at_end(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Return (B, d): the last place of each sequence of (B, L, d)."""
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), lengths - 1]
