"""How quality is measured: splits, targets, candidates, fingerprint, intervals; any callable can be scored.

``split(events, scenario, tables, spec)`` gives folds; ``measure(fold, recommend)`` scores what answers questions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkling.protocol.fold import Fold, Group
    from inkling.protocol.measure import Latency, Recommend, Result, latency, measure
    from inkling.protocol.parts import Tables
    from inkling.protocol.spec import ProtocolSpec, resolve
    from inkling.protocol.splits import split

_HOMES = {
    "Fold": "fold",
    "Group": "fold",
    "Latency": "measure",
    "ProtocolSpec": "spec",
    "Recommend": "measure",
    "Result": "measure",
    "Tables": "parts",
    "latency": "measure",
    "measure": "measure",
    "resolve": "spec",
    "split": "splits",
}
__all__ = [
    "Fold",
    "Group",
    "Latency",
    "ProtocolSpec",
    "Recommend",
    "Result",
    "Tables",
    "latency",
    "measure",
    "resolve",
    "split",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
