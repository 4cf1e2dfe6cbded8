"""``inkling erase``: forget a person."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from inkling.cli import _answers, _arguments, _inputs, _screen

if TYPE_CHECKING:
    from inkling.engine.engine import LocalEngine

EXAMPLES = """\
examples:
  inkling erase out/retail --user 14646
  inkling erase file:///var/lib/shop --user 14646

A person lives in the store and in each bundle that was fitted on their events: erase them in all of them, and
fit anew where the law asks that nothing learned from them remains.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("place", metavar="BUNDLE|STORE", help="a bundle's folder, or the address of a store")
    parser.add_argument("--user", required=True, metavar="ID", help="who is to be forgotten")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Erase, and print the receipt."""
    with _open(args.place) as engine:
        receipt = engine.erase(args.user)
    if args.json:
        _answers.write(receipt)
        return 0
    console = _screen.out()
    if not any(receipt.removed.values()):
        console.print(f"Nothing was known of '{args.user}'.", markup=False)
        return 0
    console.print(f"'{args.user}' is erased (version {receipt.version}):", markup=False)
    for place, n in receipt.removed.items():
        console.print(f"  {place}: {n:,} rows", markup=False)
    return 0


def _open(place: str) -> LocalEngine:
    if not _inputs.is_store(place):
        return _inputs.open_bundle(place)
    from inkling.engine.engine import open_engine

    return open_engine(place)
