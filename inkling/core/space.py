"""Ranges that a search may look for settings in: what a model states beside its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from inkling.core.errors import ConfigError


class Real(msgspec.Struct, frozen=True):
    """A number from ``low`` to ``high``; ``log`` searches its magnitude."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check(self.low, self.high, log=self.log)


class Whole(msgspec.Struct, frozen=True):
    """A whole number from ``low`` to ``high``, both included; ``log`` searches its magnitude."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check(self.low, self.high, log=self.log)


class Choice(msgspec.Struct, frozen=True):
    """One of several values."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigError("A choice among no values.", hint="Name at least one.")


Space = Mapping[str, Real | Whole | Choice]
"""Setting -> where to look for it."""


def _check(low: float, high: float, *, log: bool) -> None:
    if not low < high or (log and low <= 0):
        raise ConfigError(f"A range from {low} to {high}{' by magnitude' if log else ''} holds nothing to search.")
