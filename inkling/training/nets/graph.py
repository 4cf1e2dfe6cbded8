"""Light propagation over the graph of people and items (He et al. 2020), with vectors of items only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# Below this length a vector says nothing, and is not divided by it.
_TINY = 1e-12


@dataclass(frozen=True)
class Edges:
    """A sparse matrix (U, n) from people to what they had, each value over the roots of both sizes, and its transpose.

    Attributes:
        forward: (U, n) coalesced.
        backward: (n, U) coalesced.
    """

    forward: Tensor
    backward: Tensor

    @classmethod
    def of(cls, people: Tensor, items: Tensor, values: Tensor, shape: tuple[int, int]) -> Edges:
        """Build from coordinates (E,) and values (E,)."""
        there = torch.sparse_coo_tensor(torch.stack([people, items]), values, shape, check_invariants=False)
        back = torch.sparse_coo_tensor(torch.stack([items, people]), values, shape[::-1], check_invariants=False)
        return cls(there.coalesce(), back.coalesce())

    def to_people(self, items: Tensor) -> Tensor:
        """Return (U, d): what people had, added up."""
        return _times(self.forward, self.backward, items)

    def to_items(self, people: Tensor) -> Tensor:
        """Return (n, d): who had each item, added up."""
        return _times(self.backward, self.forward, people)


class _Product(torch.autograd.Function):
    """A constant sparse matrix times a dense one; the transpose is at hand, and is not made in each step."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        product: Tensor = torch.sparse.mm(matrix, dense)
        return product

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        return torch.sparse.mm(ctx.transposed, outer[0].contiguous()), None, None


def _times(matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
    product: Tensor = _Product.apply(dense, matrix, transposed)  # type: ignore[no-untyped-call]
    return product


class LightGraph(nn.Module):
    """Vectors of items, spread ``steps`` times from items to people and back; the mean over all steps is final.

    People have no vector of their own: theirs is the sum over what they had, so that one who is new is served alike.
    """

    items: nn.Parameter  # (n, d)

    def __init__(self, start: Tensor, edges: Edges, *, steps: int) -> None:
        """Begin with ``start`` (n, d)."""
        super().__init__()
        self.items = nn.Parameter(start.clone())
        self.edges = edges
        self.steps = steps

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the final vectors of people (U, d) and items (n, d)."""
        now: Tensor = self.items
        total: Tensor = self.items
        for _ in range(self.steps):
            now = self.edges.to_items(self.edges.to_people(now))
            total = total + now
        final = total / (self.steps + 1)
        return self.edges.to_people(final), final

    def logits(self, pairs: tuple[Tensor, Tensor, Tensor], negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cosines of people with what they had (B,), and with sampled items (B, K).

        The edge in question is taken out of the person's vector: with it, training would ask what it has been told.

        Args:
            pairs: People, items and the values of their edges, all (B,).
            negatives: (K,) for all, or (B, K).
        """
        people, final = self()
        rows, targets, values = pairs
        own = _unit(people[rows] - values[:, None] * final[targets])
        right = _unit(final)
        positive = (own * right[targets]).sum(dim=1)
        if negatives.dim() == 1:
            return positive, own @ right[negatives].T
        return positive, torch.einsum("bd,bkd->bk", own, right[negatives])


def _unit(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=1, eps=_TINY)
