"""``inkling update``: fold a store's log into the bundle, without a fit, so that the next start need not replay it."""

from __future__ import annotations

import argparse

from inkling.cli import _arguments, _inputs, _screen
from inkling.cli.refit import file_store

EXAMPLES = """\
examples:
  inkling update out/retail --store file:///var/lib/shop

Histories, counters and whatever moves with each event are brought up to the log's end and kept as a new bundle
(out/retail.bundles); it answers like the bundle before with the log replayed on top. To learn anew: `inkling refit`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--store", metavar="URL", help="whose log to fold in: file:///a/folder")


def run(args: argparse.Namespace) -> int:
    """Fold the log in and point to the result."""
    from inkling.engine.bundles import Bundles

    with _inputs.open_bundle(args.bundle, store=file_store(args.store)) as engine:
        engine.read_all()
        made = engine.update()
    path = Bundles(args.bundle).add(made, {"why": "update", "reflects": made.state_version})
    n_events = len(made.base.interactions)
    _screen.out().print(f"{path} holds {n_events:,} events and answers from now on.", markup=False, soft_wrap=True)
    return 0
