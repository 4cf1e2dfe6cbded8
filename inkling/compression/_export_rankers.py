"""The formula of a deep ranker as ONNX: traced once by torch, run without it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from inkling.core.errors import ConfigError
from inkling.ranking._deep import Deep
from inkling.ranking._inputs import Inputs
from inkling.ranking.multitask import Multitask
from inkling.training.export import to_onnx

_LEAST = 1e-12


class _Scores(nn.Module):
    """What is exported: what a ranker reads of candidates in, scores out."""

    def __init__(self, model: Deep) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        self.p = nn.ParameterDict(
            {
                "/" + name.replace(".", "/"): nn.Parameter(torch.tensor(value), requires_grad=False)
                for name, value in model._served.items()
            }
        )

    def forward(self, x: Tensor, items: Tensor, people: Tensor, history: Tensor, ages: Tensor) -> Tensor:
        """Return (N,)."""
        named = {key[1:].replace("/", "."): value for key, value in self.p.items()}
        logits = self.model._forward(torch, named, Inputs(x, items, people, history, ages), _kept)
        scores = _valued(self.config, logits) if isinstance(self.model, Multitask) else logits
        # An input that the formula does not read would be lost in the export.
        unread = (items.sum() + people.sum() + history.sum()).to(scores.dtype) + ages.sum().to(scores.dtype)
        found: Tensor = scores + 0.0 * unread
        return found


def ranker_graph(model: Deep) -> bytes:
    """Return the network: ``x, items, people, history, ages`` -> ``scores`` (N,), with free N, B and L.

    Raises:
        ConfigError: The ranker was not fitted.
        InklingError: Both runtimes disagree.
    """
    if not model._p:
        raise ConfigError(f"'{model.name}' cannot be exported: it was not fitted.", hint="Fit it first.")
    n_codes, width = max(model._reader.ids.n_codes, 0), model._reader.width
    draw = torch.Generator().manual_seed(0)

    def codes(*shape: int) -> Tensor:
        return torch.randint(0, n_codes + 1, shape, generator=draw)

    # Two people, since the formula of a single person may take a shorter way that no other number fits.
    example = {
        "x": torch.randn(5, width, generator=draw),
        "items": codes(5),
        "people": torch.tensor([0, 0, 0, 1, 1]),
        "history": codes(2, 3),
        "ages": torch.rand(2, 3, generator=draw),
    }
    free = {
        "x": {0: "n"}, "items": {0: "n"}, "people": {0: "n"},
        "history": {0: "b", 1: "l"}, "ages": {0: "b", 1: "l"}, "scores": {0: "n"},
    }  # fmt: skip
    return to_onnx(_Scores(model), example, ["scores"], free=free)


def _kept(hidden: Any) -> Any:
    return hidden


def _valued(config: Any, logits: Tensor) -> Tensor:
    """Return what two tasks' logits are worth, as ``multitask`` reads them out."""
    click, after = torch.sigmoid(logits.double()).unbind(dim=1)
    value = (config.click_value * click + config.conversion_value * click * after).clamp_min(_LEAST)
    worth: Tensor = value.log()
    if config.click_value + config.conversion_value <= 1:
        worth = worth - torch.log(1.0 - value.clamp_max(1 - 1e-7))
    return worth.float()
