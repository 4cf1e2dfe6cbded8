"""Scenarios by name: a folder each, with a ``scenario.toml`` that says what counts and a README that says why."""

from __future__ import annotations

from pathlib import Path

import msgspec

from inkling.core.config import read_toml
from inkling.core.errors import ConfigError, nearest
from inkling.core.scenario import Scenario

__all__ = ["load", "names"]

GENERAL = "general"
"""The scenario of ``Scenario()`` itself: every ``interaction`` counts, nothing is shown twice."""

_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all scenarios, sorted."""
    return sorted([GENERAL, *(path.parent.name for path in _HERE.glob("*/scenario.toml"))])


def load(name: str) -> Scenario:
    """Return a scenario by name: its folder's.

    What a data folder's ``dataset.toml`` states goes over it (``inkling.events.apply_info``).

    Raises:
        ConfigError: There is no such scenario, or its file does not fit.
    """
    if name not in names():
        raise ConfigError(f"There is no scenario named '{name}'.", hint=nearest(name, names()))
    if name == GENERAL:
        return Scenario()
    return msgspec.structs.replace(read_toml(Scenario, _HERE / name / "scenario.toml"), name=name)
