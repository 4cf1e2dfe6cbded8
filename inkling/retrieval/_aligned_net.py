"""How ``aligned`` learns from text to collaborative vectors. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.core.arrays import F32
from inkling.core.run import Run
from inkling.training.loop import seeded

_HIDDEN = 256
_BATCH = 256
_CODES, _LEVELS = 64, 3
_TEMPERATURE = 0.1
_DROPOUT = 0.2


@dataclass(frozen=True)
class Lesson:
    """What is learned: texts and numbers (W, d) of warm items, and their collaborative vectors (W, e)."""

    inputs: F32
    places: F32
    epochs: int


def learn(lesson: Lesson, method: str, run: Run) -> dict[str, F32]:
    """Return the layers of a :class:`~inkling.retrieval._aligned_map.TextMap`, by name.

    Args:
        lesson: What is learned.
        method: "learned" (a contrastive network, CLCRec: Wei et al. 2021) or "vqvae" (residual codes: van den Oord et
            al. 2017, Zeghidour et al. 2021).
        run: Seed, threads, progress.
    """
    x, y = torch.from_numpy(lesson.inputs), torch.from_numpy(lesson.places)
    with seeded(run, "aligned", method):
        net: TwoLayers | Codes = (Codes if method == "vqvae" else TwoLayers)(x.shape[1], y.shape[1])
        optim = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
        for epoch in range(lesson.epochs):
            run.progress(f"aligned {method}", epoch, lesson.epochs)
            for batch in torch.randperm(len(x)).split(_BATCH):
                optim.zero_grad()
                net.loss(x[batch], y[batch]).backward()
                optim.step()
    return {name: value.detach().numpy().copy() for name, value in net.layers().items()}


class TwoLayers(nn.Module):
    """Text to place, so that an item is nearer to its own collaborative vector than to those of others."""

    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(dim_in, _HIDDEN), nn.Linear(_HIDDEN, dim)

    def forward(self, x: Tensor) -> Tensor:  # (N, d) -> (N, e)
        """Return places of length one."""
        hidden = functional.dropout(self.first(_thinned(x, training=self.training)).relu(), _DROPOUT, self.training)
        return functional.normalize(self.last(hidden), dim=1)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of each text among the batch's vectors, and of each vector among the texts."""
        return _contrast(self(x), y)

    def layers(self) -> dict[str, Tensor]:
        """Return the weights by name."""
        return {**_layer("in", self.first), **_layer("out", self.last)}


class Codes(nn.Module):
    """A VQ-VAE of collaborative vectors with residual codes, and a network that reads the codes off a text."""

    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.encode = nn.Linear(dim, dim)
        self.books = nn.ParameterList([nn.Parameter(torch.randn(_CODES, dim) * 0.3) for _ in range(_LEVELS)])
        self.decode, self.last = nn.Linear(dim, _HIDDEN), nn.Linear(_HIDDEN, dim)
        self.first = nn.Linear(dim_in, _HIDDEN)
        self.heads = nn.ModuleList([nn.Linear(_HIDDEN, _CODES) for _ in range(_LEVELS)])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return reconstruction, commitment, cross-entropy of the codes, and nearness of what the text generates."""
        latent = self.encode(y)
        codes, quantised = self._quantised(latent)
        # Straight through: the decoder sees codes, the encoder gets its gradient as if it had not been rounded.
        rebuilt = self._decoded(latent + (quantised - latent).detach())
        kept = functional.mse_loss(quantised, latent.detach()) + 0.25 * functional.mse_loss(latent, quantised.detach())
        logits = self._logits(x)
        read = sum((functional.cross_entropy(one, code) for one, code in zip(logits, codes, strict=True)), y.sum() * 0)
        made = sum((one.softmax(1) @ book for one, book in zip(logits, self.books, strict=True)), y * 0)
        return (1 - (rebuilt * y).sum(1)).mean() + kept + 0.2 * read + _contrast(self._decoded(made), y)

    def _logits(self, x: Tensor) -> list[Tensor]:
        hidden = functional.dropout(self.first(_thinned(x, training=self.training)).relu(), _DROPOUT, self.training)
        return [head(hidden) for head in self.heads]

    def _decoded(self, z: Tensor) -> Tensor:
        return functional.normalize(self.last(self.decode(z).relu()), dim=1)

    def _quantised(self, latent: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the code of each level, and the sum of their vectors: each level rounds what the last one left."""
        left, codes, total = latent.detach(), [], torch.zeros_like(latent)
        for book in self.books:
            code = torch.cdist(left, book.detach()).argmin(dim=1)
            codes.append(code)
            total = total + book[code]
            left = left - book.detach()[code]
        return codes, total

    def layers(self) -> dict[str, Tensor]:
        """Return the weights that generate, by name."""
        out = {**_layer("in", self.first), **_layer("decode", self.decode), **_layer("out", self.last)}
        for level, (head, book) in enumerate(zip(self.heads, self.books, strict=True)):
            out |= {**_layer(f"code{level}", head), f"book{level}": book}
        return out


def _layer(name: str, linear: nn.Module) -> dict[str, Tensor]:
    return {name: linear.get_parameter("weight").T.contiguous(), f"{name}.b": linear.get_parameter("bias")}


def _thinned(x: Tensor, *, training: bool) -> Tensor:
    return functional.dropout(x, _DROPOUT / 2, training)


def _contrast(said: Tensor, y: Tensor) -> Tensor:
    logits = said @ y.T / _TEMPERATURE
    own = torch.arange(len(y))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2
