"""``inkling profile``: where the milliseconds and megabytes of a bundle go."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.errors import BundleError, ConfigError, InklingError

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.engine.costs import Costs, Held, Part

EXAMPLES = """\
examples:
  inkling profile out/shop
  inkling profile out/shop --people 500 --json > out/costs.json

The bundle is asked in a process of its own, on one thread. What takes most is named first; `inkling compress` looks for
what can go.
"""
_ROWS = 12
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ASK = (
    "import sys; from pathlib import Path; from inkling.engine.costs import costs_of; "
    "sys.stdout.buffer.write(costs_of(Path(sys.argv[1]), n=int(sys.argv[2])).to_json())"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--people", type=int, default=200, metavar="N", help="ask about so many people (200)")
    parser.add_argument("--all", action="store_true", help="show every row instead of the largest")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Ask, show."""
    if args.people < 1:
        raise ConfigError(f"--people is {args.people}, expected at least 1.")
    if not _inputs.is_bundle(args.bundle):
        raise BundleError(f"There is no bundle '{args.bundle}'.", hint="Make one: `inkling fit DATA --out BUNDLE`.")
    with _screen.progress() as progress:
        progress("asking the bundle", 0, 1)
        content = _measured(args.bundle, args.people)
        progress("asking the bundle", 1, 1)
    if args.json:
        _screen.write_json(content)
        return 0
    import msgspec

    from inkling.engine.costs import Costs

    _show(_screen.out(), msgspec.json.decode(content, type=Costs), sys.maxsize if args.all else _ROWS)
    return 0


def _measured(bundle: str, n: int) -> bytes:
    """Return the costs, measured in a process of its own: what this one holds would be counted as the bundle's."""
    environment = {key: value for key, value in os.environ.items() if key != "INKLING_CACHE"}
    environment |= dict.fromkeys(_THREADS, "1")
    words = [sys.executable, "-c", _ASK, str(Path(bundle)), str(n)]
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise InklingError(f"{bundle} could not be asked: {told[-1] if told else 'it died without a word'}.")
    return done.stdout


def _show(console: Console, found: Costs, most: int) -> None:
    for kind, parts in found.stages.items():
        _times(console, f"{kind}, by stage" if len(parts) > 1 else kind, parts, shared=len(parts) > 1)
    if found.members:
        _times(console, "recall, each member alone", found.members[:most], shared=True)
    if found.layers:
        _layers(console, found, most)
    _sizes(console, "On disk, the largest first (an array lies within its file)", found.disk[:most])
    _sizes(console, "Resident memory, as each part is opened", found.memory)
    if found.caches:
        _caches(console, found)


def _times(console: Console, title: str, parts: tuple[Part, ...], *, shared: bool) -> None:
    rows = [[p.name, f"{p.p50_ms:.3f}", f"{p.p99_ms:.3f}", f"{100 * p.share:.0f}%" if shared else ""] for p in parts]
    _table(console, title, ("part", "p50 ms", "p99 ms", "share"), rows)


def _layers(console: Console, found: Costs, most: int) -> None:
    rows = [[one.network, one.layer, f"{one.ms:.3f}", f"{100 * one.share:.0f}%"] for one in found.layers]
    shown: list[list[str]] = []
    for network in dict.fromkeys(one.network for one in found.layers):
        shown += [row for row in rows if row[0] == network][:most]
    _table(console, "Networks, by operation", ("network", "operation", "ms a question", "share"), shown, n_words=2)


def _sizes(console: Console, title: str, rows: tuple[Held, ...]) -> None:
    _table(console, title, ("part", "MB"), [[row.name, f"{row.bytes / 1e6:,.2f}"] for row in rows])


def _caches(console: Console, found: Costs) -> None:
    rows = [
        [
            name,
            f"{one['hits']:,.0f}",
            f"{one['misses']:,.0f}",
            f"{100 * one['hit_rate']:.0f}%",
            f"{one['bytes'] / 1e6:.2f}",
        ]
        for name, one in found.caches.items()
    ]
    _table(console, "Caches, after these questions", ("cache", "hits", "misses", "hit rate", "MB"), rows)


def _table(console: Console, title: str, heads: tuple[str, ...], rows: list[list[str]], *, n_words: int = 1) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for at, head in enumerate(heads):
        table.add_column(head, justify="left" if at < n_words else "right", no_wrap=at >= n_words)
    for row in rows:
        table.add_row(*row)
    console.print(table)
