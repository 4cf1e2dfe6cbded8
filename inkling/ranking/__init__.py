"""Some hundreds to an order. The folder is the catalogue: a file is a ranker's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkling.core.config import parse
from inkling.core.registry import Registry
from inkling.ranking._labels import labels_of_events, rated, values_of_events
from inkling.ranking._position import inverse_weights, propensities, propensities_of_random
from inkling.ranking._teach import teach

__all__ = [
    "RANKERS",
    "build",
    "inverse_weights",
    "labels_of_events",
    "propensities",
    "propensities_of_random",
    "rated",
    "teach",
    "values_of_events",
]

RANKERS = Registry("inkling.ranking", kind="ranker")


def build(name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """Return a ranker by its registered name, not yet fitted.

    Raises:
        ConfigError: There is no such ranker, or it has no such setting.
    """
    kind = RANKERS.get(name)
    return kind(parse(kind.Config, settings or {}, where=f"ranking.{name}"))
