"""Write requirements/*.txt from pyproject.toml and requirements/dev.in: ``python scripts/lock.py`` (needs an index)."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def resolve(wanted: list[str]) -> list[str]:
    """Return the pinned closure of ``wanted``."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    answer = subprocess.run([*command, *wanted], check=True, capture_output=True, text=True).stdout
    found = [entry["metadata"] for entry in json.loads(answer)["install"]]
    return sorted((f"{entry['name']}=={entry['version']}" for entry in found), key=str.lower)


def main() -> None:
    """Lock the base installation, then what development adds to it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = resolve(project["dependencies"])
    dev_in = (ROOT / "requirements" / "dev.in").read_text().split()
    everything = resolve([*base, *dev_in])
    (ROOT / "requirements" / "base.txt").write_text("\n".join(base) + "\n")
    (ROOT / "requirements" / "dev.txt").write_text("\n".join(p for p in everything if p not in base) + "\n")


if __name__ == "__main__":
    main()
