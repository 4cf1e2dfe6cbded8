"""What each member's opinion counts, for people with little and with much history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I64

BOUNDS = (5, 20)
"""Lengths of history at which the next group begins: the groups of the protocol, 0-4, 5-19 and 20 or more events."""


@dataclass(frozen=True, slots=True)
class Weights(Mapping[str, float]):
    """Weights by member. As a mapping they are those of everyone; ``of`` are those of one length of history."""

    everyone: Mapping[str, float]
    by_length: tuple[Mapping[str, float], ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.everyone[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.everyone)

    def __len__(self) -> int:
        return len(self.everyone)

    def of(self, length: int) -> Mapping[str, float]:
        """Return the weights for one person with so many events."""
        return self.by_length[int(np.searchsorted(BOUNDS, length, side="right"))] if self.by_length else self.everyone

    def to_builtins(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"everyone": dict(self.everyone), "by_length": [dict(one) for one in self.by_length]}

    @classmethod
    def from_builtins(cls, saved: Mapping[str, Any]) -> Weights:
        """Take back what :meth:`to_builtins` returned."""
        return cls(dict(saved["everyone"]), tuple(dict(one) for one in saved["by_length"]))


def power(weights: Mapping[str, float], names: Sequence[str], lengths: I64) -> F32:
    """Return the weights (B, members) of people by the lengths (B,) of their histories; 0 for a member without one."""
    tables = weights.by_length if isinstance(weights, Weights) else ()
    if not tables:
        row = np.array([weights.get(name, 0.0) for name in names], dtype=np.float32)
        return np.broadcast_to(row, (len(lengths), len(names)))
    table = np.array([[one.get(name, 0.0) for name in names] for one in tables], dtype=np.float32)
    return table.reshape(len(tables), len(names))[np.searchsorted(BOUNDS, lengths, side="right")]
