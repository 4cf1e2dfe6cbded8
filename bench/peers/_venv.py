"""The environments of peers: built once from pinned requirements, under ``out/peers``."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
OUT = Path("out") / "peers"
_MARK = "built-from"
_LINES = 6


class NoPeerError(RuntimeError):
    """A peer cannot be measured here; the message says why and what to do."""


def environments() -> tuple[str, ...]:
    """Return the names of the environments that there are requirements for."""
    return tuple(sorted(path.stem for path in HERE.glob("*.txt")))


def python_of(name: str, *, out: Path = OUT, pins: Path | None = None) -> Path:
    """Return the interpreter of an environment, which is built where it is missing or its requirements changed.

    Args:
        name: Of the environment.
        out: Where environments are.
        pins: The requirements, where they are not beside the peers of this folder.

    Raises:
        NoPeerError: It cannot be built, most often because no package index can be reached.
    """
    wanted, folder = pins or HERE / f"{name}.txt", (out / name).absolute()
    if not wanted.is_file():
        raise NoPeerError(f"There are no requirements for '{name}', only for {', '.join(environments())}.")
    key, mark = hashlib.sha256(wanted.read_bytes()).hexdigest(), folder / _MARK
    python = folder / "bin" / "python"
    if not (mark.is_file() and mark.read_text() == key and python.is_file()):
        _build(name, wanted, folder)
        mark.write_text(key)
    return python


def versions(python: Path) -> dict[str, str]:
    """Return the packages of an environment with their versions."""
    done = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {row["name"]: row["version"] for row in json.loads(done.stdout)}


def heavy(packages: dict[str, str]) -> list[str]:
    """Return the packages that only an accelerator needs: a build of torch for processors brings none."""
    return sorted(name for name in packages if name.lower().startswith(("nvidia-", "triton", "cuda-")))


def _build(name: str, wanted: Path, folder: Path) -> None:
    python = str(folder / "bin" / "python")
    quietly = ("--quiet", "--disable-pip-version-check", "--no-compile")
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", "install", *quietly, "-r", str(wanted)],
    )
    print(f"building the environment of {name} in {folder} (once) ...", file=sys.stderr)
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_LINES:])
            raise NoPeerError(
                f"The environment of {name} could not be built from {wanted.name}:\n{said}\n"
                "It needs a package index that can be reached; leave the peer out of --peers where there is none."
            )
    if extra := heavy(versions(Path(python))):
        print(
            f"{name}: {len(extra)} packages for accelerators came along ({extra[0]}, ...); they are not used here. "
            "An index with builds for processors in PIP_EXTRA_INDEX_URL avoids them.",
            file=sys.stderr,
        )
