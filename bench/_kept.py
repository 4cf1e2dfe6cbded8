"""Results on disk, as they come: one JSON file for each bench under ``out/bench``, with what the machine was like."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OUT = Path("out") / "bench"
LIBRARIES = ("inkling", "numpy", "polars", "onnxruntime", "lightgbm")


def machine() -> dict[str, Any]:
    """Return what a reader must know of where numbers come from."""
    return {
        "processors": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def keep(name: str, results: Mapping[str, Any], *, out: Path = OUT) -> Path:
    """Write results whole or not at all; return the file."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    beside = path.with_suffix(f".{os.getpid()}.part")
    beside.write_text(json.dumps({"bench": name, "machine": machine(), **results}, indent=2), encoding="utf-8")
    beside.replace(path)
    return path


def one_thread() -> None:
    """State that array maths uses one thread. Must be called before numpy is imported.

    Raises:
        RuntimeError: numpy is here already, and nobody said so before.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
        if os.environ.get(name) != "1" and "numpy" in sys.modules and name == "OPENBLAS_NUM_THREADS":
            raise RuntimeError(
                "numpy was imported before its number of threads was set; start the bench by its command."
            )
        os.environ[name] = "1"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
