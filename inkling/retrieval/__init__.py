"""All items to some hundreds. The folder is the catalogue: a file is a retriever's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkling.core.config import parse
from inkling.core.registry import Registry

RETRIEVERS = Registry("inkling.retrieval", kind="retriever")


def build(name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """Return a retriever by its registered name, not yet fitted.

    Raises:
        ConfigError: There is no such retriever, or it has no such setting.
    """
    kind = RETRIEVERS.get(name)
    return kind(parse(kind.Config, settings or {}, where=f"retrieval.{name}"))
