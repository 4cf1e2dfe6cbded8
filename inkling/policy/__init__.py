"""The order to what is shown. The folder is the catalogue: a file is a policy's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkling.core.config import parse
from inkling.core.registry import Registry
from inkling.policy.base import PolicyContext

POLICIES = Registry("inkling.policy", kind="policy")


def build(name: str, settings: Mapping[str, Any] | None = None, context: PolicyContext | None = None) -> Any:
    """Return a policy by its registered name.

    Raises:
        ConfigError: There is no such policy, or it has no such setting.
    """
    kind = POLICIES.get(name)
    return kind(parse(kind.Config, settings or {}, where=f"policy.{name}"), context)
