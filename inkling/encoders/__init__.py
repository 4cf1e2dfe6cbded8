"""Text to vector. The folder is the catalogue: a file is an encoder's name."""

from __future__ import annotations

from inkling.core.registry import Registry

ENCODERS = Registry("inkling.encoders", kind="encoder")
