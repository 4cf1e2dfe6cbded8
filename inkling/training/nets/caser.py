"""Convolutions over the last few items as over a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.training.nets.sequence import at_end
from inkling.training.sequences import Layout


class Caser(nn.Module):
    """Caser (Tang and Wang 2018): filters over the last ``window`` items (rows) and their vectors (columns).

    Horizontal filters of every height find patterns of several items, vertical ones weigh the items. The paper's vector
    of the person is left out: histories speak, so that unknown people are answered too.
    """

    def __init__(
        self, dim: int, *, window: int = 5, horizontal: int = 16, vertical: int = 4, dropout: float = 0.2
    ) -> None:
        """Build ``horizontal`` filters of each height up to ``window``, and ``vertical`` ones."""
        super().__init__()
        self.window = window
        self.across = nn.ModuleList(nn.Linear(height * dim, horizontal) for height in range(1, window + 1))
        self.down = nn.Linear(window, vertical, bias=False)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(window * horizontal + vertical * dim, dim)

    def forward(self, x: Tensor, layout: Layout, masked: Tensor | None = None) -> Tensor:
        """Return (R, W, d): each place sees the window that ends with it, zeros before its sequence."""
        rows, width, _ = x.shape
        back = torch.arange(self.window, device=x.device).flip(0)  # the oldest first
        places = torch.arange(width, device=x.device)[:, None] - back
        own = layout.positions[:, :, None] >= back
        picture = x[:, places.clamp_min(0)] * own[..., None].to(x.dtype)  # (R, W, window, d)
        found = [self._across(picture, layer, height) for height, layer in enumerate(self.across, start=1)]
        weighed = self.down(picture.transpose(-1, -2)).reshape(rows, width, -1)
        out: Tensor = self.out(self.drop(torch.cat([*found, weighed], dim=-1)))
        return out

    def _across(self, picture: Tensor, layer: nn.Module, height: int) -> Tensor:
        """Slide filters over ``height`` items each and keep where they answer most."""
        tops = range(self.window - height + 1)
        answers = torch.stack([layer(picture[:, :, top : top + height].flatten(2)) for top in tops])
        return functional.relu(answers).amax(dim=0)

    def last(self, x: Tensor, times: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, d) for one sequence a row."""
        return at_end(self(x, Layout.single(times, lengths)), lengths)
