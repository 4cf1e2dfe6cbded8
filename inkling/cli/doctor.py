"""``inkling doctor``: this machine, a data folder, or a bundle."""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from inkling import __version__
from inkling.cli import _arguments, _inputs, _screen
from inkling.cli.fit import show_cleaning, show_fit, show_folder

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = "examples:\n  inkling doctor\n  inkling doctor data/shop\n  inkling doctor out/retail\n"

_MODULES = {"train": ("torch", "transformers", "onnx")}
"""Extra -> what it installs, by import name."""
_WHAT_FOR = {"train": "sequence models, teaching language models"}
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
    names = [line.split(";")[0].split(">=")[0] for line in requires("inkling") or () if "extra ==" not in line]
    missing = [name for name in names if _version(name) is None]
    console.print(
        ", ".join(f"{name} {_version(name)}" for name in names if name not in missing), markup=False, soft_wrap=True
    )
    for name in missing:
        console.print(f"missing: {name} (pip install {name})", style="red", markup=False)
    for extra, modules in _MODULES.items():
        absent = [name for name in modules if find_spec(name) is None]
        told = f"not installed ({', '.join(absent)}): pip install 'inkling[{extra}]'" if absent else "installed"
        console.print(f"extra {extra}, for {_WHAT_FOR[extra]}: {told}", markup=False, soft_wrap=True)
    return 1 if missing else 0


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
