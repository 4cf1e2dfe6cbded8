"""``inkling explain``: why an item stands where it stands for a person."""

from __future__ import annotations

import argparse
from typing import Any

from inkling.cli import _answers, _arguments, _inputs, _screen

EXAMPLES = "example:\n  inkling explain out/retail --user 14646 --item 22423\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--user", required=True, metavar="ID", help="who is asked for")
    parser.add_argument("--item", required=True, metavar="ID", help="the item")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    with _inputs.open_bundle(args.bundle) as engine:
        found = engine.explain(args.user, args.item)
        if args.json:
            _answers.write(found)
            return 0
        _show(found)
    return 0


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    console = _screen.out()
    grounds = [f"{ground['item_id'] or ground['kind']} ({ground['weight']:.3g})" for ground in found["because"]]
    console.print(f"kind: {found['kind']}", markup=False)
    console.print(f"because of: {', '.join(grounds) or 'nothing of their own'}", markup=False, soft_wrap=True)
    for name in ("contributions", "features"):
        table = Table(box=None, pad_edge=False, title=name, title_justify="left")
        table.add_column("name")
        table.add_column("value", justify="right")
        for key, value in sorted(found[name].items(), key=lambda part: -abs(part[1])):
            table.add_row(key, f"{value:+.4f}")
        console.print(table)
