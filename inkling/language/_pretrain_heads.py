"""What stands on a language model while it is pretrained, and goes when it is served."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from inkling.core.errors import ConfigError
from inkling.encoders.backbone import Backbone
from inkling.stores.tensors import write_tensors

HEADS = "heads.safetensors"
CAUSAL = frozenset({"gpt2", "qwen2", "qwen3"})
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "mlm.dense.weight": ("cls.predictions.transform.dense.weight", "lm_head.dense.weight"),
    "mlm.dense.bias": ("cls.predictions.transform.dense.bias", "lm_head.dense.bias"),
    "mlm.norm.weight": ("cls.predictions.transform.LayerNorm.weight", "lm_head.layer_norm.weight"),
    "mlm.norm.bias": ("cls.predictions.transform.LayerNorm.bias", "lm_head.layer_norm.bias"),
    "mlm.bias": ("cls.predictions.bias", "lm_head.bias"),
    "clm.weight": ("lm_head.weight",),
}
"""Name here -> names in the files of published models (BERT and RoBERTa; causal models)."""


class HiddenWords(nn.Module):
    """BERT's: one more layer, then the likeness to every token's own vector."""

    def __init__(self, dim: int, n_tokens: int) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim)
        self.bias = nn.Parameter(torch.zeros(n_tokens))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Return logits (N, n_tokens) of hidden states (N, dim)."""
        return nn.functional.linear(self.norm(nn.functional.gelu(self.dense(hidden))), table, self.bias)


class NextWords(nn.Module):
    """The likeness to every token's vector: its own, or another table where the model has one."""

    def __init__(self, shape: tuple[int, int], *, own: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape)) if own else None

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Return logits (N, n_tokens) of hidden states (N, dim)."""
        return nn.functional.linear(hidden, table if self.weight is None else self.weight)


def make_heads(backbone: Backbone, objectives: tuple[str, ...], folder: Path | None) -> tuple[nn.ModuleDict, set[str]]:
    """Return a head for each objective, and which of them the model's own files brought along.

    Raises:
        ConfigError: An objective does not fit the architecture.
    """
    table = backbone.model.get_input_embeddings().weight  # type: ignore[operator]
    stored = _stored(folder) if folder is not None else {}
    own = "clm.weight" in stored and stored["clm.weight"].shape == table.shape
    heads = nn.ModuleDict()
    for name in objectives:
        check_objective(backbone, name)
        if name == "mlm":
            heads[name] = HiddenWords(backbone.dim, table.shape[0])
        elif name == "clm":
            heads[name] = NextWords(tuple(table.shape), own=own)
        else:
            heads[name] = nn.Linear(backbone.dim, 1)
    return heads, {name for name in objectives if _take(heads[name], name, stored)}


def check_objective(backbone: Backbone, name: str) -> None:
    """Refuse an objective that the architecture cannot have.

    Raises:
        ConfigError: It cannot.
    """
    causal = backbone.kind in CAUSAL
    if name == "mlm" and causal:
        raise ConfigError(f"mlm: a {backbone.kind} reads from left to right.", hint="Use the objective clm.")
    if name == "mlm" and mask_id(backbone.tokenizer) is None:
        raise ConfigError("mlm: the tokenizer has no token that hides others.", hint="Use another model or objective.")
    if name == "clm" and not causal:
        raise ConfigError(
            f"clm: a {backbone.kind} sees the words that it would have to foretell.", hint="Use the objective mlm."
        )


def mask_id(tokenizer: Any) -> int | None:
    """Return the token that hides others: the mask, or T5's first sentinel."""
    if tokenizer.mask_token_id is not None:
        return int(tokenizer.mask_token_id)
    sentinel = tokenizer.get_vocab().get("<extra_id_0>")
    return None if sentinel is None else int(sentinel)


def heads_bytes(heads: nn.ModuleDict) -> bytes:
    """Return the heads as a safetensors file, for the next pretraining."""
    return write_tensors({name: value.detach().cpu().numpy() for name, value in heads.state_dict().items()})


def _take(head: nn.Module, name: str, stored: Mapping[str, Tensor]) -> bool:
    """Give a head the tensors that were stored, if all of them are there and fit; a tied one has nothing to take."""
    wanted = {key: value.shape for key, value in head.state_dict().items()}
    found = {key: stored.get(f"{name}.{key}") for key in wanted}
    if any(value is None or value.shape != wanted[key] for key, value in found.items()):
        return False
    head.load_state_dict(found)
    return True


def _stored(folder: Path) -> dict[str, Tensor]:
    """Return the heads' tensors of a folder: those that Inkling wrote, else those of the published model."""
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: path.name != HEADS):
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            for mine, theirs in _ELSEWHERE.items():
                there = [name for name in theirs if name in names]
                if there and mine not in found:
                    found[mine] = file.get_tensor(there[0]).float()
            if path.name == HEADS:
                found |= {name: file.get_tensor(name).float() for name in names}
    return found
