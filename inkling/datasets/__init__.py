"""A small bundled real data set, and loaders for public ones."""

from __future__ import annotations

from inkling.datasets.catalog import info, load, names
from inkling.datasets.tables import load_tables, table_names

__all__ = ["info", "load", "load_tables", "names", "table_names"]
