"""Pieces of networks, written once for numpy and torch, and their parameters before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.ranking._inputs import Inputs


def layer(rng: np.random.Generator, n_in: int, n_out: int) -> F32:
    """Return weights (n_in, n_out) drawn as by He et al. (2015)."""
    return rng.normal(0, (2 / max(n_in, 1)) ** 0.5, (n_in, n_out)).astype(np.float32)


def vectors(rng: np.random.Generator, n: int, dim: int) -> F32:
    """Return small vectors (n + 1, dim), the first of which, of what is not known, is zero."""
    drawn = rng.normal(0, 0.05, (n + 1, dim)).astype(np.float32)
    drawn[0] = 0
    return drawn


def stack(rng: np.random.Generator, n_in: int, widths: Sequence[int], *, name: str = "mlp") -> dict[str, F32]:
    """Return the parameters of layers of the given widths."""
    sizes = [n_in, *widths]
    found: dict[str, F32] = {}
    for depth, (before, after) in enumerate(pairwise(sizes)):
        found |= {f"{name}.w{depth}": layer(rng, before, after), f"{name}.b{depth}": np.zeros(after, dtype=np.float32)}
    return found


def climb(p: Mapping[str, Any], hidden: Any, drop: Callable[[Any], Any], *, name: str = "mlp") -> Any:
    """Return what the layers make of (N, n_in): ReLU after each."""
    depth = 0
    while f"{name}.w{depth}" in p:
        hidden = drop((hidden @ p[f"{name}.w{depth}"] + p[f"{name}.b{depth}"]).clip(0))
        depth += 1
    return hidden


def averaged(p: Mapping[str, Any], inputs: Inputs) -> Any:
    """Return the mean vector (B, k) of what each person had; zero where they had nothing."""
    there = inputs.history > 0
    return (p["items"][inputs.history] * there[:, :, None]).sum(1) / there.sum(1).clip(1)[:, None]
