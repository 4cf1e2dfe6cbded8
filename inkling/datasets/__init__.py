"""A small bundled real data set, and loaders for public ones."""

from __future__ import annotations

from inkling.datasets.catalog import info, load, names

__all__ = ["info", "load", "names"]
