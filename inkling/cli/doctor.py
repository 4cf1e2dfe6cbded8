"""``inkling doctor``: this machine, a data folder, or a bundle."""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from inkling import __version__
from inkling.cli import _arguments, _inputs, _screen
from inkling.cli.fit import show_cleaning, show_fit, show_folder

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = "examples:\n  inkling doctor\n  inkling doctor data/shop\n  inkling doctor out/retail\n"

_NAME, _EXTRA = re.compile(r"^[A-Za-z0-9._-]+"), re.compile(r"extra\s*==\s*['\"]([^'\"]+)")
_STYLES = {"ok": "green", "note": "default", "warning": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("place", nargs="?", metavar="DATA|BUNDLE", help="a data folder or data set's name, or a bundle")
    _arguments.add_scenario(parser)


def run(args: argparse.Namespace) -> int:
    """Check; the status is 0 where nothing asks for something to be done, else 1."""
    console = _screen.out()
    if args.place is None:
        return _machine(console)
    return _bundle(console, args.place) if _inputs.is_bundle(args.place) else _data(console, args)


def _machine(console: Console) -> int:
    console.print(f"inkling {__version__}, Python {platform.python_version()}, {platform.platform()}", markup=False)
    console.print(f"{os.cpu_count()} cores, {_memory()} of memory", markup=False)
    threads = [f"{name}={os.environ.get(name, 'not set')}" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")]
    console.print(f"threads of array maths: {', '.join(threads)}", markup=False)
    needed = _requirements()
    versions = {name: _version(name) for name in needed[""]}
    console.print(
        ", ".join(f"{name} {found}" for name, found in versions.items() if found), markup=False, soft_wrap=True
    )
    missing = [name for name, found in versions.items() if found is None]
    for name in missing:
        console.print(f"missing: {name} (pip install {name})", style="red", markup=False)
    for extra in sorted(needed.keys() - {""}):
        absent = [name for name in needed[extra] if _version(name) is None]
        told = f"not installed ({', '.join(absent)}): pip install 'inkling[{extra}]'" if absent else "installed"
        console.print(f"extra {extra}: {told}", markup=False, soft_wrap=True)
    return 1 if missing else 0


def _requirements() -> dict[str, list[str]]:
    """Return extra -> names of packages; the base installation's under an empty name."""
    found: dict[str, list[str]] = {"": []}
    for line in requires("inkling") or ():
        name, marker = _NAME.findall(line)[0], _EXTRA.search(line)
        if marker is not None or "sys_platform" not in line or os.name != "nt":
            found.setdefault(marker.group(1) if marker else "", []).append(name)
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "an unknown amount"
    return f"{size / 2**30:.1f} GiB"


def _data(console: Console, args: argparse.Namespace) -> int:
    from rich.table import Table
    from rich.text import Text

    from inkling.events.validate import validate

    with _screen.progress() as progress:
        folder = _inputs.load_data(args.place, progress=progress)
    scenario = _inputs.load_scenario(args.scenario, folder)
    show_folder(console, folder)
    folder, scenario, _ = _inputs.settle(folder, scenario, ())
    report = validate(folder, scenario, now_ms=int(time.time() * 1000))
    table = Table(box=None, pad_edge=False)
    for name in ("check", "level", "what", "for example"):
        table.add_column(name, overflow="fold")
    for check in report.checks:
        cells = (
            Text(check.name),
            Text(check.level, style=_STYLES[check.level]),
            Text(check.message),
            Text(check.example),
        )
        table.add_row(*cells)
    console.print(table)
    show_cleaning(console, folder, scenario, lambda *_: None)
    return 1 if report.warnings else 0


def _bundle(console: Console, place: str) -> int:
    """Read every file against its checksum, and the model with it."""
    n_bytes = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    with _inputs.open_bundle(place) as engine:
        console.print(
            f"The bundle {engine.bundle_name} is whole: {n_bytes / 2**20:.1f} MiB, every checksum agrees.", markup=False
        )
        show_fit(console, engine)
    return 0
