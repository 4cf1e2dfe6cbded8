"""Some hundreds to an order. The folder is the catalogue: a file is a ranker's name."""

from __future__ import annotations

from inkling.core.registry import Registry

RANKERS = Registry("inkling.ranking", kind="ranker")
