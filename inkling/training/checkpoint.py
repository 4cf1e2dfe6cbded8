"""Training that can be stopped and resumed to the same result: safetensors beside JSON, never half of either."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inkling.core.errors import StoreError
from inkling.stores.tensors import read_tensors, write_tensors

_FORMAT = 1


@dataclass
class Progress:
    """How far a training has come."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)


def save(
    folder: Path,
    progress: Progress,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor],
) -> None:
    """Write everything that the next epoch depends on: weights, moments, random numbers, the best so far.

    The tensors are written under a name of their own; the JSON that names them replaces the older one in one step.
    """
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    tensors |= {f"best/{key}": value for key, value in best.items()}
    tensors |= {f"optimizer/{key}": value for key, value in _moments(optimizer).items()}
    tensors["random"] = torch.get_rng_state()
    data = write_tensors({key: value.detach().cpu().numpy() for key, value in tensors.items()})
    folder.mkdir(parents=True, exist_ok=True)
    digest = sha256(data).hexdigest()
    name = f"epoch-{progress.epoch:06d}-{digest[:12]}.safetensors"
    _replace(folder / name, data)
    text = json.dumps({"format": _FORMAT, "tensors": name, "sha256": digest, "progress": asdict(progress)})
    _replace(folder / "checkpoint.json", text.encode())
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def restore(
    folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, best: dict[str, Tensor]
) -> Progress:
    """Take over what :func:`save` wrote; with nothing there, begin at the beginning.

    Raises:
        StoreError: The files are altered or belong to another model.
    """
    if not (folder / "checkpoint.json").exists():
        return Progress()
    head, arrays = _read(folder)
    parts: dict[str, dict[str, Tensor]] = {}
    for key, array in arrays.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = torch.tensor(array)
    try:
        for name, module in modules.items():
            module.load_state_dict(parts[name])
        _set_moments(optimizer, parts.get("optimizer", {}))
    except (KeyError, RuntimeError) as error:
        raise StoreError(f"The checkpoint in {folder.name} is of another model.", hint="Use a new folder.") from error
    best.update(parts.get("best", {}))
    torch.set_rng_state(parts["random"][""])
    return Progress(**head["progress"])


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    head = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    path = folder / head["tensors"]
    data = path.read_bytes() if path.exists() else b""
    if head.get("format") != _FORMAT or sha256(data).hexdigest() != head["sha256"]:
        raise StoreError(f"The checkpoint in {folder.name} is not what was written.", hint="Remove it and train again.")
    return head, read_tensors(data, where=path.name)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def _set_moments(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
