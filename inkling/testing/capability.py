"""Whether a model can do something, asked without telling the type checker that it can do nothing else."""

from __future__ import annotations

from typing import Any


def has(model: Any, capability: type) -> bool:
    """Return whether ``model`` has a capability, such as ``Scorer``."""
    return isinstance(model, capability)
