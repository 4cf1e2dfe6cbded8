"""All items to some hundreds. The folder is the catalogue: a file is a retriever's name."""

from __future__ import annotations

from inkling.core.registry import Registry

RETRIEVERS = Registry("inkling.retrieval", kind="retriever")
