"""Items as vectors: one of their own, and what their text says, added up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TEXT_SHARE = 0.7  # length of a text's part; an item's own vector begins with about 1
_TEXT_DROPOUT = 0.2


class ItemTable(nn.Module):
    """Vectors of n items: a learned one for each, plus the direction of its projected language vector if it has one."""

    ids: nn.Parameter  # (n, d)
    texts: Tensor  # (n, t); of no rows where there are no texts

    def __init__(self, start: Tensor, *, texts: Tensor | None = None, forget: float = 0.0) -> None:
        """Begin with ``start`` (n, d).

        Args:
            start: The items' own vectors before training.
            texts: Language vectors (n, t); a row of zeros says nothing.
            forget: Chance, while training, that an item goes by its text alone, so that a new one can.
        """
        super().__init__()
        self.ids = nn.Parameter(start.clone())
        self.forget = forget
        self.register_buffer("texts", torch.empty(0, 0) if texts is None else texts, persistent=False)
        self.project = nn.Linear(texts.shape[1], start.shape[1], bias=False) if texts is not None else None

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """Return the vectors of ``rows`` (..., d), or of all items (n, d)."""
        own = self.ids if rows is None else functional.embedding(rows, self.ids)
        if self.project is None:
            return own
        said = self.texts if rows is None else self.texts[rows]
        if self.training and self.forget > 0:
            own = own * (torch.rand((*own.shape[:-1], 1), device=own.device) >= self.forget)
        return own + self.said(functional.dropout(said, _TEXT_DROPOUT, self.training))

    def said(self, texts: Tensor) -> Tensor:
        """Return what language vectors (..., t) add (..., d): the same length for all that say something."""
        if self.project is None:
            return texts
        return TEXT_SHARE * functional.normalize(self.project(texts), dim=-1)
