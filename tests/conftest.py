"""Shared fixtures: where the real data sets lie, and one thread for each numeric library."""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of the public data sets (INKLING_DATA, else ../shared/data); skip when it is absent."""
    root = Path(os.environ.get("INKLING_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"the public data sets are not here ({root.name}); set INKLING_DATA to their folder")
    return root
