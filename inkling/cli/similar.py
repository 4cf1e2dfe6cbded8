"""``inkling similar``: the items most like one."""

from __future__ import annotations

import argparse

from inkling.cli import _answers, _arguments, _inputs

EXAMPLES = "example:\n  inkling similar out/retail --item 22423 -k 5\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--item", required=True, metavar="ID", help="the item")
    parser.add_argument("-k", type=int, default=10, metavar="K", help="how many items (10)")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    with _inputs.open_bundle(args.bundle) as engine:
        answer = engine.similar(args.item, k=args.k)
        if args.json:
            _answers.write(answer)
        else:
            _answers.show(engine, answer)
    return 0
