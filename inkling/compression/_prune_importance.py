"""What each head, unit, weight and block is worth on the domain's own texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkling.core.arrays import F32
from inkling.core.run import Run
from inkling.encoders._backbone_batches import length_batches
from inkling.encoders._backbone_shapes import head_size, sizes
from inkling.encoders.backbone import Backbone

_TOKENS = 2048
_LINEAR = ("Linear", "Conv1D")


def sampled_ids(backbone: Backbone, texts: Sequence[str], n: int, max_tokens: int, run: Run) -> list[list[int]]:
    """Return the tokens of some of the texts, drawn by the seed."""
    drawn, most = (
        np.sort(run.rng("prune", "texts").permutation(len(texts))[:n]),
        min(max_tokens, backbone.card.max_tokens),
    )
    return [ids for ids in backbone.token_ids([texts[row] for row in drawn.tolist()], most) if ids]


def batches(backbone: Backbone, ids: Sequence[Sequence[int]]) -> Iterator[dict[str, Tensor]]:
    """Yield texts of alike length, padded."""
    for rows in length_batches([len(row) for row in ids], _TOKENS):
        yield backbone.padded([ids[row] for row in rows])


def taylor(backbone: Backbone, blocks: Sequence[Any], ids: Sequence[Sequence[int]], run: Run) -> list[tuple[F32, F32]]:
    """Return, for each block, what its heads and its units are worth: how far a text's vector moves without one.

    First order (Molchanov et al. 2019): the squared derivative of the vector by a factor on the head or the unit, at
    one. A random sign for each of the vector's numbers gives the sum over all of them in one pass back (Hutchinson).
    """
    found = [(np.zeros(h, np.float32), np.zeros(u, np.float32)) for h, u in map(sizes, blocks)]
    rng = run.rng("prune", "signs")
    for batch in batches(backbone, ids):
        n = len(batch["input_ids"])
        with _factors(blocks, n) as factors:
            vectors = backbone.vectors(batch)
            signs = torch.from_numpy(rng.choice(np.array([-1.0, 1.0], np.float32), tuple(vectors.shape)))
            moved = torch.autograd.grad((vectors * signs.to(vectors.device)).sum(), factors)
        for row, each in enumerate(found):
            for worth, gradient in zip(each, moved[2 * row : 2 * row + 2], strict=True):
                worth += gradient[:, 0].square().sum(dim=0).cpu().numpy() / len(ids)
    return found


@contextmanager
def _factors(blocks: Sequence[Any], n: int) -> Iterator[list[Tensor]]:
    """Multiply heads and units by ones of their own for each text, in the order head, unit of each block."""
    factors: list[Tensor] = []
    hooks = []
    for block in blocks:
        for module, count, width in _doors(block):
            ones = torch.ones(n, 1, count, device=module.weight.device, requires_grad=True)
            factors.append(ones)
            hooks.append(module.register_forward_pre_hook(_multiply(ones, width)))
    try:
        yield factors
    finally:
        for hook in hooks:
            hook.remove()


def _doors(block: Any) -> list[tuple[nn.Linear, int, int]]:
    """Return the layers that read heads and units, how many there are, and how many numbers each is."""
    n_heads, n_units = sizes(block)
    return [(block.attention.output.dense, n_heads, head_size(block)), (block.output.dense, n_units, 1)]


def _multiply(ones: Tensor, width: int) -> Callable[[nn.Module, Any], Any]:
    return lambda module, given: (given[0] * ones.repeat_interleave(width, dim=-1), *given[1:])


def energy(backbone: Backbone, blocks: Sequence[Any], ids: Sequence[Sequence[int]]) -> list[tuple[F32, F32]]:
    """Return, for each block, the mean square of what its heads and units add to the stream of hidden states."""
    found = []
    with inputs_of([door for block in blocks for door, _, _ in _doors(block)]) as seen, torch.no_grad():
        for batch in batches(backbone, ids):
            backbone.vectors(batch)
            seen.rest(batch["attention_mask"])
    for block in blocks:
        each = []
        for door, count, width in _doors(block):
            moments = seen.moments(door).reshape(count, width, count, width)
            own = moments[torch.arange(count), :, torch.arange(count)]  # (count, width, width)
            weights = door.weight.detach().T.reshape(count, width, -1)
            each.append(torch.einsum("cij,cid,cjd->c", own, weights, weights).cpu().numpy().astype(np.float32))
        found.append((each[0], each[1]))
    return found


class Inputs:
    """The second moments of what some layers were given, over real tokens."""

    def __init__(self) -> None:
        self._now: dict[nn.Module, Tensor] = {}
        self._sums: dict[nn.Module, Tensor] = {}
        self._n = 0

    def take(self, module: nn.Module, given: Any) -> None:
        """Remember what a layer is given; a hook."""
        self._now[module] = given[0].detach()

    def rest(self, mask: Tensor) -> None:
        """Add up what was given in this batch."""
        real = mask.bool()
        self._n += int(real.sum())
        for module, values in self._now.items():
            rows = values[real] if values.dim() == 3 else values
            self._sums[module] = self._sums.get(module, torch.zeros(())) + rows.T @ rows
        self._now.clear()

    def moments(self, module: nn.Module) -> Tensor:  # (in, in)
        """Return the mean of products of a layer's inputs; none were seen of a layer that was never called."""
        size = weight_of(module).shape[1]
        return self._sums.get(module, torch.zeros(size, size)) / max(self._n, 1)


@contextmanager
def inputs_of(modules: Sequence[nn.Module]) -> Iterator[Inputs]:
    """Look at what layers are given for a while."""
    seen = Inputs()
    hooks = [module.register_forward_pre_hook(seen.take) for module in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def linears(holder: nn.Module) -> list[nn.Module]:
    """Return the linear layers of a module."""
    return [module for module in holder.modules() if type(module).__name__ in _LINEAR]


def weight_of(module: Any) -> Tensor:  # (out, in)
    """Return a layer's weights, one row for each output."""
    weight: Tensor = module.weight
    return weight if isinstance(module, nn.Linear) else weight.T
