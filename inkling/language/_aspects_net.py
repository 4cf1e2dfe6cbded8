"""The network of the aspect model: one reading of a sentence tells its terms, their sentiment, and its categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inkling.language._aspects_data import IGNORED, Labelled

_FAR = 16
_N_TAGS, _N_POLARITIES = 3, 3
_CLOSED = -1e4
Hidden = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """N sentences padded to T tokens, with M terms in all and C categories."""

    ids: Tensor  # (N, T)
    mask: Tensor  # (N, T)
    tags: Tensor  # (N, T)
    of: Tensor  # (M,) the sentence of each term
    begin: Tensor  # (M,)
    end: Tensor  # (M,)
    polarity: Tensor  # (M,)
    categories: Tensor  # (N, C) IGNORED where nothing is known

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_sentences(cls, rows: Sequence[Labelled], n_categories: int, *, pad: int) -> Batch:
        """Return sentences as one batch."""
        width = max(len(row.ids) for row in rows)
        spans = [(place, *span) for place, row in enumerate(rows) for span in row.spans]
        of, begin, end, polarity = torch.tensor(spans, dtype=torch.long).reshape(-1, 4).T
        unknown = (IGNORED,) * n_categories
        return cls(
            _padded([row.ids for row in rows], width, pad),
            _padded([(1,) * len(row.ids) for row in rows], width, 0),
            _padded([row.tags for row in rows], width, IGNORED),
            of,
            begin,
            end,
            polarity,
            torch.tensor([row.categories or unknown for row in rows], dtype=torch.long).reshape(-1, n_categories),
        )


class Attention(nn.Module):
    """Some questions asked of a sentence's tokens, by several heads, with a learned bias for how far a token is.

    The bias begins as ALiBi's (Press et al. 2022): heads look near to far.
    """

    def __init__(self, dim: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.near = nn.Embedding(2 * _FAR + 1, n_heads)
        with torch.no_grad():
            self.near.weight.copy_(_slopes(n_heads))

    def forward(self, asked: Tensor, hidden: Tensor, mask: Tensor, away: Tensor | None = None) -> Tensor:
        """Return (M, Q, dim) answers.

        Args:
            asked: (M, Q, dim) questions.
            hidden: (M, T, dim) tokens.
            mask: (M, T) 1 where a token is.
            away: (M, T) how many tokens each stands before (below 0) or behind the term.
        """
        q, k, v = self._heads(self.query(asked)), self._heads(self.key(hidden)), self._heads(self.value(hidden))
        scores = q @ k.transpose(2, 3) * (q.shape[-1] ** -0.5)  # (M, heads, Q, T)
        if away is not None:
            scores = scores + self.near(away.clamp(-_FAR, _FAR) + _FAR).permute(0, 2, 1).unsqueeze(2)
        scores = scores + ((1 - mask.to(scores.dtype)) * _CLOSED).unsqueeze(1).unsqueeze(1)
        answers: Tensor = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return answers

    def _heads(self, x: Tensor) -> Tensor:
        parts = x.reshape(x.shape[0], x.shape[1], self.n_heads, -1)
        return parts.transpose(1, 2)


class Sentences(nn.Module):
    """What is told by a sentence as a whole: its tags, and for each category whether it is judged, and how."""

    def __init__(self, dim: int, n_categories: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.tags = nn.Linear(dim, _N_TAGS)
        self.questions = nn.Parameter(torch.randn(n_categories, dim) * 0.02)
        self.attention = Attention(dim, n_heads)
        self.categories = nn.Linear(2 * dim, 1 + _N_POLARITIES)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return tags (N, T, 3) and categories (N, C, 4) before their softmax."""
        asked = self.questions.unsqueeze(0).expand(hidden.shape[0], -1, -1)
        told = self.attention(asked, hidden, mask)
        both = torch.cat([told, asked + mean_of(hidden, mask).unsqueeze(1)], -1)
        return self.tags(self.dropout(hidden)), self.categories(self.dropout(both))


class Terms(nn.Module):
    """What is told of one term: its own tokens, what they find around them, and the sentence."""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(dim, n_heads)
        self.last = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(3 * dim, dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(dim, _N_POLARITIES)
        )

    def forward(self, hidden: Tensor, mask: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        """Return polarities (M, 3) before their softmax of terms from token ``begin`` to before ``end``."""
        place = torch.arange(hidden.shape[1], device=hidden.device).unsqueeze(0)
        before, behind = place - begin.unsqueeze(1), place - end.unsqueeze(1) + 1
        away = before.clamp(max=0) + behind.clamp(min=0)
        own = mean_of(hidden, (away == 0).to(hidden.dtype))
        around = self.attention(own.unsqueeze(1), hidden, mask, away).squeeze(1)
        told: Tensor = self.last(torch.cat([own, around, mean_of(hidden, mask)], -1))
        return told


class AspectNet(nn.Module):
    """A language model with two heads on its hidden states (multi-task; terms as in Tang et al. 2016, TD-LSTM's idea).

    The sentence is read once, whatever the number of terms in it: a term finds its own opinion by attention with a
    bias for nearness.
    """

    def __init__(self, model: nn.Module, hidden: Hidden, *, dim: int, n_categories: int, dropout: float = 0.2) -> None:
        """Put heads on a model.

        Args:
            model: The language model, whose parameters are trained along.
            hidden: (ids, mask) -> its last hidden states (N, T, dim).
            dim: Their width.
            n_categories: Categories of sentences; 0 is none.
            dropout: On what the heads read.
        """
        super().__init__()
        self.model, self.hidden = model, hidden
        n_heads = next(n for n in (12, 8, 4, 2, 1) if dim % n == 0)
        self.sentences = Sentences(dim, n_categories, n_heads, dropout / 2)
        self.terms = Terms(dim, n_heads, dropout)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return hidden states (N, T, dim), tags (N, T, 3) and categories (N, C, 4)."""
        hidden = self.hidden(ids, mask)
        tags, categories = self.sentences(hidden, mask)
        return hidden, tags, categories

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of all three tasks, each the mean over what is known."""
        hidden, tags, categories = self(batch.ids, batch.mask)
        zero = hidden.sum() * 0
        parts = [zero]
        if len(batch.of):
            found = self.terms(hidden.index_select(0, batch.of), batch.mask[batch.of], batch.begin, batch.end)
            parts.append(nn.functional.cross_entropy(found, batch.polarity, label_smoothing=0.05))
        parts += [
            0.5 * nn.functional.cross_entropy(guess.flatten(0, 1), truth.flatten(), ignore_index=IGNORED)
            for guess, truth in ((tags, batch.tags), (categories, batch.categories))
            if (truth != IGNORED).any()
        ]
        return torch.stack(parts).sum()


def mean_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """Return the mean (M, dim) of tokens (M, T, dim) under a mask (M, T)."""
    weight = mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def _slopes(n_heads: int) -> Tensor:
    away = torch.arange(-_FAR, _FAR + 1).abs().float()
    return -away.unsqueeze(1) * torch.logspace(0, -2, n_heads).unsqueeze(0)


def _padded(rows: Sequence[Sequence[int]], width: int, fill: int) -> Tensor:
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=torch.long)
