"""One file for each way to split: file name = name of the split. ``split`` is the door to all of them."""

from __future__ import annotations

import importlib

import msgspec
import numpy as np

from inkling.core.errors import ProtocolError
from inkling.core.scenario import Scenario, Seen
from inkling.core.tables import Events
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts, Tables
from inkling.protocol.slices import sliced
from inkling.protocol.spec import ProtocolSpec, resolve

__all__ = ["split"]


def split(events: Events, scenario: Scenario, tables: Tables, spec: ProtocolSpec | None = None) -> list[Fold]:
    """Return the folds of a measurement; all speak rows of the same vocabularies.

    Args:
        events: Cleaned by the row rules; the rules that look at other rows run here, inside each part.
        scenario: What is positive, and whether people take the same thing again.
        tables: Catalogue, people and links.
        spec: How to split; the default is the scenario's.

    Raises:
        ProtocolError: The data cannot carry the split, or has no context of that name.
    """
    resolved = resolve(spec or ProtocolSpec(), scenario)
    seen: Seen = "drop" if resolved.seen == "drop" else "keep"
    parts = Parts.of(events, msgspec.structs.replace(scenario, seen=seen), tables)
    if resolved.folds and resolved.split not in ("time", "loo"):
        raise ProtocolError(f"Folds over people were asked for with split '{resolved.split}'.", hint="Use time or loo.")
    folds: list[Fold] = importlib.import_module(f"{__name__}.{resolved.split}").folds(parts, resolved)
    if not any(len(fold) for fold in folds):
        raise ProtocolError(
            f"Split '{resolved.split}' leaves nobody with a target.",
            hint="Use more data, an earlier cut, or another split.",
        )
    if not resolved.slices:
        return folds
    events_of_all = parts.interactions(np.ones(len(parts), dtype=np.bool_))
    return [sliced(fold, events_of_all, resolved.slices) for fold in folds]
