"""What of a language model moves: all of it, or what peft puts beside it and merges afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self

import peft
import torch
from torch import Tensor, nn

from inkling.core.errors import ConfigError
from inkling.encoders.backbone import Backbone
from inkling.language._adapt_config import AdaptConfig

_ORTHOGONAL = 0.5  # weight of AdaLoRA's pull towards orthogonal directions, as in its paper


class Tuning(Protocol):
    """A way of moving a backbone's weights."""

    def stepped(self, step: int) -> None:
        """Take note that parameters moved for the ``step``-th time."""

    def extra(self) -> Tensor | None:
        """Return what is added to the loss, or None."""

    def merge(self) -> None:
        """Leave the backbone as a plain network with what was learned in it."""


class Full:
    """All weights move."""

    def __init__(self, backbone: Backbone) -> None:
        backbone.model.requires_grad_(requires_grad=True)

    def stepped(self, step: int) -> None:
        """Do nothing."""

    def extra(self) -> Tensor | None:
        """Add nothing."""
        return None

    def merge(self) -> None:
        """Nothing stands beside the weights."""


class Beside:
    """peft's parameters move: LoRA (Hu et al. 2021), AdaLoRA (Zhang et al. 2023), (IA)3 (Liu et al. 2022)."""

    def __init__(self, backbone: Backbone, config: AdaptConfig, n_steps: int) -> None:
        self.backbone, self.method, self.n_steps = backbone, config.method, n_steps
        model: Any = backbone.model
        with _narrowly():
            self.wrapped: Any = peft.get_peft_model(model, _settings(model, config, n_steps))

    def stepped(self, step: int) -> None:
        """Let AdaLoRA share out its ranks anew."""
        if self.method == "adalora" and step < self.n_steps:
            with torch.no_grad():
                self.wrapped.base_model.update_and_allocate(step)

    def extra(self) -> Tensor | None:
        """Return AdaLoRA's distance from orthogonal directions."""
        if self.method != "adalora":
            return None
        parts = [
            (p @ p.T if "lora_A" in name else p.T @ p) - torch.eye(min(p.shape), device=p.device)
            for name, p in self.backbone.model.named_parameters()
            if "lora_A" in name or "lora_B" in name
        ]
        return _ORTHOGONAL * torch.stack([part.norm() for part in parts]).mean()

    def merge(self) -> None:
        """Add what was learned to the weights."""
        with _narrowly():
            self.backbone.model = self.wrapped.merge_and_unload()
        self.backbone.model.requires_grad_(requires_grad=True)
        for name in ("peft_config", "_hf_peft_config_loaded"):
            vars(self.backbone.model).pop(name, None)  # or transformers would save a plain network as an adapter

    @classmethod
    def of(cls, backbone: Backbone, config: AdaptConfig, n_steps: int) -> Self:
        """Return the tuning that the settings name."""
        return cls(backbone, config, n_steps)


def tuning(backbone: Backbone, config: AdaptConfig, n_steps: int) -> Full | Beside:
    """Prepare a backbone in place, and set its dropout.

    Raises:
        ConfigError: The network has no layers that peft could stand beside.
    """
    for module in backbone.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = config.dropout
    return Full(backbone) if config.method == "full" else Beside.of(backbone, config, n_steps)


def _settings(model: nn.Module, config: AdaptConfig, n_steps: int) -> Any:
    names = _layers(model)
    alpha: Any = config.alpha or 2.0 * config.rank  # peft says a whole number, and takes any
    if config.method == "ia3":
        narrowing = [name for name, narrows in names.items() if narrows]
        return peft.IA3Config(target_modules=list(names), feedforward_modules=narrowing)
    if config.method == "adalora":
        return peft.AdaLoraConfig(
            init_r=round(config.rank * 1.5), target_r=config.rank, lora_alpha=alpha, lora_dropout=config.dropout,
            tinit=n_steps // 10, tfinal=n_steps // 3, deltaT=max(n_steps // 50, 1), total_step=max(n_steps, 3),
            target_modules=list(names),
        )  # fmt: skip
    return peft.LoraConfig(
        r=config.rank,
        lora_alpha=alpha,
        lora_dropout=config.dropout,
        target_modules=[*names, *(_tables(model) if config.embeddings else [])],
    )


def _layers(model: nn.Module) -> dict[str, bool]:
    """Return the linear layers inside the blocks by name, and whether each narrows (a feed-forward's second).

    Raises:
        ConfigError: There are none.
    """
    stacks = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    inside = tuple(f"{name}." for name, module in stacks.items() if len(module))
    found: dict[str, bool] = {}
    for name, module in model.named_modules():
        size = _size(module)
        if size is not None and name.startswith(inside):
            found[name] = size[0] > size[1]
    if not found:
        raise ConfigError(
            f"{type(model).__name__} has no linear layers in blocks, which peft would stand beside.",
            hint="Use method = 'full'.",
        )
    return found


def _size(module: nn.Module) -> tuple[int, int] | None:
    """Return numbers in and out of a linear layer, or None for any other."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    weight = getattr(module, "weight", None)
    if type(module).__name__ == "Conv1D" and isinstance(weight, Tensor):  # GPT-2's linear layer, weights transposed
        return int(weight.shape[0]), int(weight.shape[1])
    return None


def _tables(model: nn.Module) -> list[str]:
    """Return the name of the table of tokens; none where it has several (T5), of which only one would be tuned."""
    find: Any = model
    weight = find.get_input_embeddings().weight
    modules = model.named_modules(remove_duplicate=False)
    names = [name for name, module in modules if getattr(module, "weight", None) is weight]
    return names if len(names) == 1 else []


@contextmanager
def _narrowly() -> Iterator[None]:
    """Silence what peft says of GPT-2's transposed weights, which it then sets right, of tables shared in T5, and asks.

    It asks transformers for a property that has a new name.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*fan_in_fan_out.*")
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")
        warnings.filterwarnings("ignore", message=".*tied.*")
        yield
