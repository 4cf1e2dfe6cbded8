"""Hierarchical sequential transduction units: attention without a softmax, gated by the place's own reading."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.training.nets.sequence import at_end
from inkling.training.sequences import Layout

_BUCKETS = 64
_START = 0.1


class Hstu(nn.Module):
    """HSTU (Zhai et al. 2024): Y = f(norm(silu(Q K' + position + time) V / n) * U), added to the input."""

    def __init__(self, dim: int, *, blocks: int = 2, heads: int = 2, dropout: float = 0.2, length: int = 50) -> None:
        """Build ``blocks``; sums run over up to ``length`` places and are divided by it."""
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Unit(dim, heads, dropout, length) for _ in range(blocks))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, layout: Layout, masked: Tensor | None = None) -> Tensor:
        """Return (R, W, d): each place knows itself and what came before it in its sequence, and how long ago."""
        place = torch.arange(x.shape[1], device=x.device)
        apart = place[:, None] - place[None, :]
        ages = time_buckets(layout.times[:, :, None] - layout.times[:, None, :])
        seen = (layout.segments[:, :, None] == layout.segments[:, None, :]) & (apart >= 0)
        hidden = self.drop(x)
        for block in self.blocks:
            hidden = block(hidden, apart, ages, seen[:, None].to(x.dtype))
        out: Tensor = self.norm(hidden)
        return out

    def last(self, x: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d) for one sequence a row."""
        return at_end(self(x, Layout.single(times, lengths)), lengths)


def time_buckets(ages: Tensor) -> Tensor:
    """Return floor(log2(age)) + 1 of ages in seconds, 0 for none: minutes, hours and years stay apart."""
    log = torch.log(ages.clamp_min(0).float() + 1.0) / math.log(2.0)
    return torch.ceil(log).long().clamp(0, _BUCKETS - 1)


class _Unit(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, length: int) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.before, self.within = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.uvqk, self.out = nn.Linear(dim, 4 * dim), nn.Linear(dim, dim)
        self.by_place = nn.Parameter(0.02 * torch.randn(heads, length + 1))
        self.by_age = nn.Parameter(0.02 * torch.randn(heads, _BUCKETS))
        self.drop = nn.Dropout(dropout)
        nn.init.xavier_normal_(self.uvqk.weight)
        nn.init.xavier_normal_(self.out.weight, gain=_START)

    def forward(self, x: Tensor, apart: Tensor, ages: Tensor, seen: Tensor) -> Tensor:
        rows, width, dim = x.shape
        shape = rows, width, self.heads, dim // self.heads
        u, v, q, k = functional.silu(self.uvqk(self.before(x))).chunk(4, dim=-1)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in (q, k, v))
        bias = self.by_place[:, apart.clamp(0, self.length)] + self.by_age[:, ages].transpose(0, 1)
        weights = functional.silu(q @ k.transpose(-1, -2) + bias) * seen / self.length
        read = (weights @ v).transpose(1, 2).reshape(rows, width, dim)
        out: Tensor = x + self.drop(self.out(self.within(read) * u))
        return out
