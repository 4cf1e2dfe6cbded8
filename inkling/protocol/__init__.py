"""How quality is measured: splits, targets, candidates, fingerprint, intervals; any callable can be scored.

``split(events, scenario, tables, spec)`` gives folds; ``measure(fold, recommend)`` scores what answers questions.
"""

from __future__ import annotations

# Imported here and now: a function named like its file would otherwise be hidden by the file.
from inkling.protocol.fold import Fold, Group
from inkling.protocol.measure import Latency, Recommend, Result, latency, measure
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec, resolve
from inkling.protocol.splits import split

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
