"""Shared fixtures: where the real data sets lie, one thread for each numeric library, a patient hypothesis."""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason for a test to fail; where CI says so, every run draws the same examples.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of the public data sets (INKLING_DATA, else ../shared/data); skip when it is absent."""
    root = Path(os.environ.get("INKLING_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"the public data sets are not here ({root.name}); set INKLING_DATA to their folder")
    return root
