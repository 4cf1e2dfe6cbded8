"""A causal transformer in today's form: pre-norm, gated residuals, SwiGLU, attention that knows distances."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.training.nets.sequence import at_end
from inkling.training.sequences import Layout

_NEVER = -1e9
_START = 0.1


class Ligr(nn.Module):
    """SASRec's causal attention (Kang and McAuley 2018) in LiGR blocks (Borisyuk et al. 2025; eSASRec 2025).

    Order comes from learned biases by distance, for each head (Shaw et al. 2018; begun as ALiBi, Press et al. 2022).
    """

    def __init__(self, dim: int, *, blocks: int = 1, heads: int = 2, dropout: float = 0.3, reach: int = 64) -> None:
        """Build ``blocks`` of ``heads``; distances from ``reach`` on count as one.

        What a block adds begins small, so that the untrained network answers with what is near the last item.
        """
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout, reach) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, layout: Layout, masked: Tensor | None = None) -> Tensor:
        """Return (R, W, d): each place knows itself and what came before it in its sequence."""
        hidden = self.drop(x)
        place = torch.arange(x.shape[1], device=x.device)
        apart = place[:, None] - place[None, :]
        barred = (layout.segments[:, :, None] != layout.segments[:, None, :]) | (apart < 0)
        for block in self.blocks:
            hidden = block(hidden, apart, barred[:, None])
        out: Tensor = self.norm(hidden)
        return out

    def last(self, x: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d) for one sequence a row."""
        return at_end(self(x, Layout.single(times, lengths)), lengths)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, reach: int) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.up, self.down = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(2 * dim, dim, bias=False)
        self.gate, self.second_gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
        steps = torch.arange(reach).float() * (2.0 ** -torch.arange(heads).float())[:, None]
        self.bias = nn.Parameter(-0.2 * steps)  # (heads, reach)
        self.drop = nn.Dropout(dropout)
        for layer in (self.qkv, self.out, self.up, self.down, self.gate, self.second_gate):
            nn.init.xavier_normal_(layer.weight)
        for layer in (self.out, self.down):
            layer.weight.data.mul_(_START)
        nn.init.zeros_(self.gate.bias)
        nn.init.zeros_(self.second_gate.bias)

    def forward(self, x: Tensor, apart: Tensor, barred: Tensor) -> Tensor:
        x = x + self.drop(self._attend(self.before(x), apart, barred)) * torch.sigmoid(self.gate(x))
        up, silu = self.up(self.between(x)).chunk(2, dim=-1)
        mixed = self.drop(self.down(functional.silu(silu) * up))
        out: Tensor = x + mixed * torch.sigmoid(self.second_gate(x))
        return out

    def _attend(self, x: Tensor, apart: Tensor, barred: Tensor) -> Tensor:
        rows, width, dim = x.shape
        size = dim // self.heads
        q, k, v = self.qkv(x).view(rows, width, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        bias = self.bias[:, apart.clamp(0, self.reach - 1)]
        weights = (q @ k.transpose(-1, -2) * size**-0.5 + bias).masked_fill(barred, _NEVER).softmax(dim=-1)
        out: Tensor = self.out((weights @ v).transpose(1, 2).reshape(rows, width, dim))
        return out
