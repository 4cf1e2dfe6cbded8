"""NeuMF (He et al. 2017): a generalised product and a small network side by side, added up to a logit."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class NeuMf(nn.Module):
    """Items have two vectors, one for each branch; a person is the sum of what they had over the root of its number."""

    def __init__(self, n_items: int, *, dim: int, hidden: tuple[int, ...], dropout: float) -> None:
        """Begin with small random vectors.

        Args:
            n_items: Size of the catalogue.
            dim: Length of each vector.
            hidden: Widths of the network's layers.
            dropout: Share of the network's inputs and layers that are left out in training.
        """
        super().__init__()
        names = ("product_had", "product_item", "network_had", "network_item")
        for name in names:
            self.register_parameter(name, nn.Parameter(torch.randn(n_items, dim) * 0.05))
        self.shared = nn.Parameter(torch.zeros(2, dim))
        self.bias = nn.Parameter(torch.zeros(n_items))
        widths = (2 * dim, *hidden)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.weigh = nn.Linear(dim, 1, bias=False)  # the product's part of the last layer
        self.judge = nn.Linear(widths[-1], 1, bias=False)  # the network's part
        nn.init.ones_(self.weigh.weight)

    def people(self, histories: Tensor) -> tuple[Tensor, Tensor]:
        """Return a person's two vectors (B, d) from what they had (B, L), -1 where it ends."""
        there = (histories >= 0).float()
        rows = histories.clamp_min(0)
        scale = there / there.sum(dim=1, keepdim=True).clamp_min(1.0).sqrt()
        had = (
            functional.embedding_bag(rows, getattr(self, f"{name}_had"), per_sample_weights=scale, mode="sum")
            for name in ("product", "network")
        )
        product, network = had
        return product + self.shared[0], network + self.shared[1]

    def forward(self, histories: Tensor, items: Tensor) -> Tensor:
        """Return logits (B, K) of items (B, K) for the people of histories (B, L)."""
        product, network = self.people(histories)
        left = self.weigh(product[:, None, :] * functional.embedding(items, self.product_item)).squeeze(-1)  # type: ignore[arg-type]
        right = functional.embedding(items, self.network_item)  # type: ignore[arg-type]
        x = self.dropout(torch.cat([network[:, None, :].expand_as(right), right], dim=-1))
        for layer in self.layers:
            x = self.dropout(functional.relu(layer(x)))
        logits: Tensor = left + self.judge(x).squeeze(-1) + self.bias[items]
        return logits
