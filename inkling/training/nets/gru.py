"""A recurrent network over packed sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from inkling.training.nets.sequence import at_end
from inkling.training.sequences import Layout


class Gru(nn.Module):
    """Gated recurrent units as in GRU4Rec (Hidasi et al. 2016): item by item, the state carries what came before."""

    def __init__(self, dim: int, *, blocks: int = 1, dropout: float = 0.2) -> None:
        """Stack ``blocks`` layers of ``dim`` units."""
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.gru = nn.GRU(dim, dim, num_layers=blocks, batch_first=True, dropout=dropout if blocks > 1 else 0.0)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, layout: Layout, masked: Tensor | None = None) -> Tensor:
        """Return (R, W, d); all sequences take a step together, the longest last."""
        place, sizes = _by_step(layout)
        flat = x.flatten(0, 1)
        read, _ = self.gru(PackedSequence(self.drop(flat[place]), sizes))
        hidden = torch.zeros_like(flat).index_copy(0, place, self.out(self.drop(read.data)))
        return hidden.view(x.shape)

    def last(self, x: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d) for one sequence a row."""
        read, _ = self.gru(x)
        out: Tensor = self.out(at_end(read, lengths))
        return out


def _by_step(layout: Layout) -> tuple[Tensor, Tensor]:
    """Return flat places (N,) by position, longest sequences first, and how many sequences reach each position."""
    segments, positions = layout.segments.flatten(), layout.positions.flatten()
    filled = torch.nonzero(segments >= 0).flatten()
    segment, position = segments[filled], positions[filled]
    lengths = torch.bincount(segment)
    rank = torch.empty_like(lengths)
    rank[torch.argsort(lengths, descending=True, stable=True)] = torch.arange(len(lengths), device=lengths.device)
    order = torch.argsort(position * len(lengths) + rank[segment])
    return filled[order], torch.bincount(position).cpu()
