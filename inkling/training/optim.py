"""Optimisers and schedules. Coupled L2 and decoupled weight decay are two settings with two names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from inkling.core.errors import ConfigError

Kind = Literal["adam", "adamw", "sgd"]
Shape = Literal["constant", "cosine", "linear"]


@dataclass(frozen=True)
class Optim:
    """How parameters move.

    Attributes:
        kind: ``adam`` (Kingma and Ba 2015), ``adamw`` (Loshchilov and Hutter 2019), or ``sgd``.
        lr: Learning rate.
        l2: Coupled: ``l2 * parameter`` is added to the gradient, and goes through Adam's division.
        weight_decay: Decoupled: each step multiplies parameters by ``1 - lr * weight_decay``.
        momentum: Of ``sgd``.
        betas: Of ``adam`` and ``adamw``.
    """

    kind: Kind = "adamw"
    lr: float = 1e-3
    l2: float = 0.0
    weight_decay: float = 0.0
    momentum: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)


def optimizer(parameters: Iterable[Any], optim: Optim) -> torch.optim.Optimizer:
    """Return torch's optimiser of these settings over parameters, or groups of them (torch's dictionaries).

    Raises:
        ConfigError: The kind has not that way of pulling parameters to 0.
    """
    if optim.kind == "adamw":
        _refuse(optim.l2, "adamw", "l2", "weight_decay, or kind = 'adam'")
        return torch.optim.AdamW(
            parameters, lr=optim.lr, betas=optim.betas, weight_decay=optim.weight_decay, fused=True
        )
    _refuse(optim.weight_decay, optim.kind, "weight_decay", "l2, or kind = 'adamw'")
    if optim.kind == "adam":
        return torch.optim.Adam(parameters, lr=optim.lr, betas=optim.betas, weight_decay=optim.l2, fused=True)
    return torch.optim.SGD(parameters, lr=optim.lr, momentum=optim.momentum, weight_decay=optim.l2)


def _refuse(value: float, kind: str, name: str, instead: str) -> None:
    if value:
        raise ConfigError(f"The optimiser '{kind}' has no {name} (it is {value}).", hint=f"Use {instead}.")


def schedule(shape: Shape, *, warmup: float = 0.0, floor: float = 0.0) -> Callable[[float], float]:
    """Return the factor of the learning rate as a function of progress from 0 to 1.

    Args:
        shape: After the warm-up: ``constant``, down along half a ``cosine``, or ``linear``.
        warmup: Share of the whole during which the factor rises linearly to 1.
        floor: Where it ends, as a share of the learning rate.
    """

    def factor(progress: float) -> float:
        if progress < warmup:
            return progress / warmup
        if shape == "constant":
            return 1.0
        left = 1.0 - min((progress - warmup) / max(1.0 - warmup, 1e-12), 1.0)
        curve = left if shape == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)
        return floor + (1.0 - floor) * curve

    return factor
