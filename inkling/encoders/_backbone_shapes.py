"""Blocks that are narrower than a configuration can say: some heads and feed-forward units were taken out.

The configuration carries what was kept of each block, so that a saved model is loaded as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel

from inkling.core.errors import BundleError

KEPT = "inkling_kept"
"""Where a configuration says [heads, units] of each block."""
_WEIGHTS = "model.safetensors"


def blocks(model: Any) -> list[Any]:
    """Return the blocks of a network laid out as BERT's; none for any other.

    A block has ``attention.self.{query, key, value}``, ``attention.output.dense``, ``intermediate.dense`` and
    ``output.dense``.
    """
    found = list(getattr(getattr(model, "encoder", None), "layer", []))
    return found if all(map(_is_plain, found)) else []


def _is_plain(block: Any) -> bool:
    names = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
    try:
        linear = [block.get_submodule(name) for name in (*names, "intermediate.dense", "output.dense")]
        return all(isinstance(one, nn.Linear) for one in linear) and head_size(block) > 0
    except AttributeError:
        return False


def head_size(block: Any) -> int:
    """Return how many numbers one head of attention has."""
    return int(block.attention.self.attention_head_size)


def sizes(block: Any) -> tuple[int, int]:
    """Return how many heads and feed-forward units a block has."""
    return block.attention.self.query.out_features // head_size(block), block.intermediate.dense.out_features


def narrow(block: Any, heads: Sequence[int], units: Sequence[int]) -> None:
    """Keep these heads and feed-forward units of a block, in place; weights of the others are gone."""
    size, attention = head_size(block), block.attention
    rows = torch.cat([torch.arange(head * size, (head + 1) * size) for head in heads])
    own = attention.self
    own.query, own.key, own.value = (_rows(one, rows) for one in (own.query, own.key, own.value))
    own.num_attention_heads, own.all_head_size = len(heads), len(rows)
    attention.output.dense = _columns(attention.output.dense, rows)
    kept = torch.as_tensor(list(units), dtype=torch.long)
    block.intermediate.dense = _rows(block.intermediate.dense, kept)
    block.output.dense = _columns(block.output.dense, kept)


def note(model: Any) -> None:
    """Write into the configuration what was kept of each block."""
    setattr(model.config, KEPT, [list(sizes(block)) for block in blocks(model)])


def load_narrowed(folder: Path, config: Any, **extra: Any) -> nn.Module:
    """Return a network whose configuration carries what was kept of each block; ``extra`` goes to its class.

    Raises:
        BundleError: The weights are not there, or of another shape.
    """
    model: Any = AutoModel.from_config(config, **extra)
    kept = getattr(config, KEPT)
    try:
        for block, (n_heads, n_units) in zip(blocks(model), kept, strict=True):
            narrow(block, range(n_heads), range(n_units))
        weights = load_file(folder / _WEIGHTS)
        lacking, unknown = model.load_state_dict(weights, strict=False)
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        raise BundleError(
            f"{folder.name} could not be loaded as a pruned language model: {str(error).splitlines()[0][:200]}",
            hint="Check that config.json and the weights belong together.",
        ) from error
    if lacking or unknown:
        raise BundleError(
            f"The weights in {folder.name} do not fit its config.json: {(*lacking, *unknown)[0]}.",
            hint="Check that config.json and the weights belong together.",
        )
    network: nn.Module = model.eval()
    return network


def _rows(linear: nn.Linear, kept: Tensor) -> nn.Linear:
    """Return a layer with some of its outputs."""
    return _made(linear.weight[kept], None if linear.bias is None else linear.bias[kept])


def _columns(linear: nn.Linear, kept: Tensor) -> nn.Linear:
    """Return a layer that reads some of its inputs."""
    return _made(linear.weight[:, kept], linear.bias)


def _made(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device=weight.device)
    made.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone())
    return made
