"""A transformer that reads both ways and fills in what is hidden."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.training.nets.sequence import at_end
from inkling.training.sequences import Layout

_NEVER = -1e9


class Bert(nn.Module):
    """BERT4Rec (Sun et al. 2019): post-norm blocks with GELU, learned places, a vector for what is hidden."""

    def __init__(self, dim: int, *, blocks: int = 2, heads: int = 2, dropout: float = 0.2, length: int = 50) -> None:
        """Build ``blocks``; places are told apart up to ``length`` from the end."""
        super().__init__()
        self.mask = nn.Parameter(0.02 * torch.randn(dim))
        self.places = nn.Parameter(0.02 * torch.randn(length, dim))
        self.norm, self.drop = nn.LayerNorm(dim), nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout) for _ in range(blocks))
        self.head, self.head_norm = nn.Linear(dim, dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor, layout: Layout, masked: Tensor | None = None) -> Tensor:
        """Return (R, W, d): each place knows its whole sequence, but not what is ``masked``."""
        if masked is not None:
            x = torch.where(masked[..., None], self.mask, x)
        together = layout.segments[:, :, None] == layout.segments[:, None, :]
        # Counted from the end, so that the mask behind it has the place that a hidden last item had in training.
        from_end = (together.sum(dim=-1) - 1 - layout.positions).clamp(0, len(self.places) - 1)
        hidden = self.drop(self.norm(x + self.places[from_end]))
        barred = ~together[:, None]
        for block in self.blocks:
            hidden = block(hidden, barred)
        out: Tensor = self.head_norm(functional.gelu(self.head(hidden)))
        return out

    def last(self, x: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d) for one sequence a row: what is hidden behind its end."""
        x = torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)
        times = torch.cat([times, times[:, -1:]], dim=1)
        layout = Layout.single(times, lengths + 1)
        return at_end(self(x, layout, layout.positions == lengths[:, None]), lengths + 1)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, barred: Tensor) -> Tensor:
        rows, width, dim = x.shape
        size = dim // self.heads
        q, k, v = self.qkv(x).view(rows, width, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) * size**-0.5).masked_fill(barred, _NEVER).softmax(dim=-1)
        read = self.out((self.drop(weights) @ v).transpose(1, 2).reshape(rows, width, dim))
        x = self.first(x + self.drop(read))
        out: Tensor = self.second(x + self.drop(self.down(functional.gelu(self.up(x)))))
        return out
