"""Where negatives come from. Each draw comes with its log probability, which the logQ correction needs."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from inkling.core.errors import ConfigError


class Uniform:
    """Every item is as likely as any other."""

    def __init__(self, n_items: int, *, device: str = "cpu") -> None:
        """Draw from rows 0 to ``n_items`` - 1."""
        if n_items < 1:
            raise ConfigError(f"There is nothing to draw from {n_items} items.", hint="Fit on data with items.")
        self._n, self._device = n_items, device

    def draw(self, shape: tuple[int, ...], generator: Generator) -> tuple[Tensor, Tensor]:
        """Return rows and their log probabilities, both of ``shape``; with replacement."""
        rows = torch.randint(self._n, shape, generator=generator).to(self._device)
        return rows, self.log_probability(rows)

    def log_probability(self, rows: Tensor) -> Tensor:
        """Return log q of the rows."""
        return torch.full(rows.shape, -math.log(self._n), device=rows.device)


class Popularity:
    """An item is as likely as its count to the power ``alpha``: 1 as it happens, 0 uniform over what happened."""

    def __init__(self, counts: Tensor, *, alpha: float = 1.0) -> None:
        """Take counts (n_items,); items that never happened are never drawn.

        Raises:
            ConfigError: All counts are 0.
        """
        powers = torch.where(counts > 0, counts.double().clamp_min(1e-12) ** alpha, 0.0)
        total = powers.sum()
        if not total > 0:
            raise ConfigError("Negatives by popularity need an item that happened.", hint="Fit on data with events.")
        self._edges = torch.cumsum(powers / total, dim=0)
        self._edges[-1] = 1.0
        self._log = torch.log((powers / total).clamp_min(1e-30)).float()
        self._last = int(powers.nonzero().max())

    def draw(self, shape: tuple[int, ...], generator: Generator) -> tuple[Tensor, Tensor]:
        """Return rows and their log probabilities, both of ``shape``; with replacement."""
        points = torch.rand(shape, generator=generator, dtype=torch.float64).to(self._edges.device)
        # From the right, so that an item of probability 0 has no point; rounding may end beyond the last one that has.
        rows = torch.searchsorted(self._edges, points, right=True).clamp_max(self._last)
        return rows, self.log_probability(rows)

    def log_probability(self, rows: Tensor) -> Tensor:
        """Return log q of the rows."""
        return self._log[rows]


def in_batch(targets: Tensor, sampler: Popularity) -> tuple[Tensor, Tensor]:
    """Return a batch's own targets (N,) as negatives for each other, with their log probabilities under ``sampler``.

    They are a draw by popularity: ``Popularity(counts, alpha=1)`` of the training events.
    """
    return targets, sampler.log_probability(targets)
