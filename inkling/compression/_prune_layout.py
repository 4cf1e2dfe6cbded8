"""Where a network keeps its blocks, whatever its architecture, and how some of them are left out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from inkling.core.errors import ConfigError
from inkling.encoders._backbone_shapes import blocks
from inkling.encoders.backbone import Backbone

_FIRST_STAYS = {"t5"}  # its first block holds what all of them know of distances
_PER_LAYER = ("layer_types",)  # what a configuration lists for each block


def stack(model: Any) -> tuple[Any, str]:
    """Return the module that holds the blocks, and the name under which it does.

    Raises:
        ConfigError: The blocks are not found.
    """
    n = int(getattr(model.config, "num_hidden_layers", 0) or 0)
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and n and len(child) == n:
                return module, name
    raise ConfigError(
        f"The blocks of a {type(model).__name__} are not found: no list of {n} modules is in it.",
        hint="Only networks that are a list of blocks can lose some of them.",
    )


def n_blocks(model: Any) -> int:
    """Return how many blocks a network has."""
    holder, name = stack(model)
    return len(getattr(holder, name))


def copied(backbone: Backbone) -> Backbone:
    """Return a copy whose weights may be changed, in evaluation mode."""
    model: Any = copy.deepcopy(backbone.model)
    return Backbone(model.requires_grad_(requires_grad=True).eval(), backbone.tokenizer, backbone.card)


def keep_blocks(model: Any, kept: Sequence[int]) -> None:
    """Leave only some blocks in a network, in place, in their order.

    Raises:
        ConfigError: There is no such block, or one is left out that the others need.
    """
    holder, name = stack(model)
    every, config = getattr(holder, name), model.config
    if not kept or sorted(set(kept)) != list(kept) or not 0 <= kept[0] <= kept[-1] < len(every):
        raise ConfigError(f"The layers {list(kept)} cannot be kept of {len(every)}; expected rising numbers from 0.")
    if config.model_type in _FIRST_STAYS and kept[0] != 0:
        raise ConfigError(
            f"The first layer of a {config.model_type} cannot go: the others need its biases.", hint="Keep layer 0."
        )
    for listed in _PER_LAYER:
        if isinstance(getattr(config, listed, None), list):
            setattr(config, listed, [getattr(config, listed)[row] for row in kept])
    setattr(holder, name, nn.ModuleList([every[row] for row in kept]))
    config.num_hidden_layers = len(kept)
    for row, block in enumerate(getattr(holder, name)):
        for module in block.modules():
            if isinstance(getattr(module, "layer_idx", None), int):
                module.layer_idx = row


def spread(model: Any, n: int) -> tuple[int, ...]:
    """Return ``n`` of the network's blocks, evenly, the last among them (and the first where it must stay).

    Raises:
        ConfigError: There are not so many.
    """
    every = n_blocks(model)
    if not 1 <= n <= every:
        raise ConfigError(f"A student of {n} layers cannot be cut from {every}; expected 1 to {every}.")
    found = [round((place + 1) * every / n) - 1 for place in range(n)]
    if model.config.model_type in _FIRST_STAYS:
        found[0] = 0
    return tuple(found)


def inside(model: Any) -> list[nn.Parameter]:
    """Return the parameters of the blocks; the vocabulary table is none of them."""
    holder, name = stack(model)
    return list(getattr(holder, name).parameters())


def n_inside(model: Any) -> int:
    """Return how many parameters the blocks have."""
    return sum(p.numel() for p in inside(model))


def shrinkable(backbone: Backbone) -> list[Any]:
    """Return the blocks of a network whose heads and units can be taken out.

    Raises:
        ConfigError: It is laid out otherwise.
    """
    found = blocks(backbone.model)
    if not found:
        raise ConfigError(
            f"A {backbone.kind} is not laid out as BERT is, so its heads and feed-forward units cannot be taken out.",
            hint="Use method = 'layers', which takes out whole blocks, or 'magnitude', which sets weights to zero.",
        )
    return found
