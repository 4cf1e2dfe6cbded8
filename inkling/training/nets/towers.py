"""Two towers: items from what is known of them, people from the items they had; near where they belong together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Known:
    """What is known of n items and U people besides who had what; words are rows of a table, padded with 0."""

    item_words: Tensor  # (n, W)
    people_words: Tensor  # (U + 1, V); the last row is nobody
    n_words: int
    texts: Tensor | None = None  # (n, t)


class Tower(nn.Module):
    """One residual layer, and a length of one."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, hidden)
        self.outer = nn.Linear(hidden, dim)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., d) from (..., d)."""
        return functional.normalize(x + self.outer(functional.relu(self.inner(x))), dim=-1, eps=1e-12)


class TwoTower(nn.Module):
    """An item is tower(id + mean of its words + text), a person tower(start + weighted mean of items + words)."""

    texts: Tensor | None

    def __init__(self, known: Known, start: Tensor, *, hidden: int, length: int, forget: float) -> None:
        """Begin with ``start`` (n, d), the items' own vectors.

        Args:
            known: Attributes and texts.
            start: (n, d)
            hidden: Width of the towers' layers.
            length: How many events of a history are read.
            forget: Chance, while training, that an item goes without its own vector, so that a new one can.
        """
        super().__init__()
        dim = start.shape[1]
        self.ids = nn.Parameter(start.clone())
        self.words = nn.Parameter(torch.randn(known.n_words + 1, dim) * 0.02)
        self.start = nn.Parameter(torch.randn(dim) * 0.02)
        self.recency = nn.Parameter(torch.zeros(length))
        self.item, self.person = Tower(dim, hidden), Tower(dim, hidden)
        self.project = nn.Linear(known.texts.shape[1], dim, bias=False) if known.texts is not None else None
        self.forget = forget
        self.register_buffer("texts", known.texts, persistent=False)
        self.register_buffer("item_words", known.item_words, persistent=False)
        self.register_buffer("people_words", known.people_words, persistent=False)

    def items(self, rows: Tensor) -> Tensor:
        """Return the vectors (R, d) of items."""
        own = functional.embedding(rows, self.ids)
        if self.training and self.forget > 0:
            own = own * (torch.rand((len(rows), 1), device=own.device) >= self.forget)
        whole = own + self._bag(self.item_words[rows])  # type: ignore[index]
        if self.project is not None and self.texts is not None:
            whole = whole + self.project(self.texts[rows])
        vectors: Tensor = self.item(whole)
        return vectors

    def _bag(self, words: Tensor) -> Tensor:
        return functional.embedding_bag(words, self.words, mode="mean", padding_idx=0)

    def people(self, vectors: Tensor, there: Tensor, rows: Tensor) -> Tensor:
        """Return the vectors (B, d) of people.

        Args:
            vectors: (B, L, d) of the items in their histories, newest first.
            there: (B, L) false where a history has ended.
            rows: (B,) of the people themselves.
        """
        weights = there * torch.exp(self.recency)[None, :]
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-12)
        pooled = torch.einsum("bl,bld->bd", weights, vectors)
        found: Tensor = self.person(self.start + pooled + self._bag(self.people_words[rows]))  # type: ignore[index]
        return found

    def logits(self, histories: Tensor, people: Tensor, targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines with the targets (B,), and with the targets of all and what was drawn (B, B + K).

        Args:
            histories: (B, L) items, -1 where a history has ended.
            people: (B,)
            targets: (B,)
            drawn: (K,)
        """
        # Each item goes through its tower once, however often it is named.
        named = torch.cat([histories.clamp_min(0).flatten(), targets, drawn])
        rows, places = torch.unique(named, return_inverse=True)
        vectors = self.items(rows)[places]
        n_read = histories.numel()
        read = vectors[:n_read].view(*histories.shape, -1)
        others = vectors[n_read:]
        own = self.people(read, histories >= 0, people)
        return (own * others[: len(targets)]).sum(dim=1), own @ others.T
