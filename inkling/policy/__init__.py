"""The order to what is shown. The folder is the catalogue: a file is a policy's name."""

from __future__ import annotations

from inkling.core.registry import Registry

POLICIES = Registry("inkling.policy", kind="policy")
