"""``inkling score``: the probability that a person takes each of some items."""

from __future__ import annotations

import argparse

from inkling.cli import _answers, _arguments, _inputs, _screen

EXAMPLES = "example:\n  inkling score out/retail --user 14646 --items 22423,85123A\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--user", required=True, metavar="ID", help="who is asked for")
    parser.add_argument("--items", required=True, type=_arguments.words, metavar="A,B", help="the items")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask and show, in the order in which the items were named."""
    from rich.table import Table
    from rich.text import Text

    with _inputs.open_bundle(args.bundle) as engine:
        scores = engine.score(args.user, list(args.items))
        if args.json:
            _answers.write({"scores": scores})
            return 0
        table = Table(box=None, pad_edge=False)
        for name in ("item", "title"):
            table.add_column(name)
        table.add_column("score", justify="right")
        for item_id, score in zip(args.items, scores, strict=True):
            table.add_row(Text(item_id), Text(_answers.title_of(engine, item_id)), f"{score:.4f}")
        _screen.out().print(table)
    return 0
