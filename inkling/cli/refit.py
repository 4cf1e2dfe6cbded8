"""``inkling refit``: learn anew from a store's own log; take over only what is no worse."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.errors import ConfigError
from inkling.core.run import Run

if TYPE_CHECKING:
    from inkling.engine.bundles import Bundles
    from inkling.feedback.gate import Verdict

EXAMPLES = """\
examples:
  inkling refit out/retail --store file:///var/lib/shop
  inkling refit out/retail --store file:///var/lib/shop --full --minutes 10
  inkling refit out/retail --rollback

The newest events judge: the bundle that answers, which observed all before them, against a new one that learned from
all before them. One that is no worse is kept beside it (out/retail.bundles) and answers from now on; a running
`inkling serve out/retail` swaps it in by itself.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    parser.add_argument("--store", metavar="URL", help="whose log to learn from: file:///a/folder")
    parser.add_argument("--full", action="store_true", help="choose members, weights and order anew")
    parser.add_argument("--minutes", type=float, default=0.0, metavar="M", help="a limit of time for --full; 0 is none")
    parser.add_argument(
        "--min-people", type=int, default=20, metavar="N", help="people needed among the newest events (20)"
    )
    parser.add_argument("--rollback", action="store_true", help="answer with the bundle before the current one again")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")


def run(args: argparse.Namespace) -> int:
    """Learn, judge, and point to the new bundle, or say why not."""
    from inkling.engine.bundles import Bundles

    bundles = Bundles(args.bundle)
    if args.rollback:
        _say(f"Back to {bundles.rollback()}.")
        return 0
    with _inputs.open_bundle(args.bundle, store=file_store(args.store)) as engine, _screen.progress() as progress:
        made, verdict = engine.renew(
            run=Run(seed=args.seed, progress=progress),
            full=args.full,
            minutes=args.minutes,
            min_people=args.min_people,
        )
        engine.read_all(0.0)
    if made is None:
        _refused(bundles, verdict)
        return 0
    path = bundles.add(made, {**verdict.told(), "reflects": made.state_version})
    _say(f"Accepted: {verdict.why}, for {verdict.n_people} people. {path} answers from now on.")
    return 0


def file_store(store: str | None) -> str:
    """Return the address of a store that another process may read.

    Raises:
        ConfigError: It is none.
    """
    if not store or store.startswith("memory://"):
        raise ConfigError("--store is missing: nothing is left of a log in memory.", hint="--store file:///a/folder")
    return store


def _refused(bundles: Bundles, verdict: Verdict) -> None:
    bundles.note(verdict.told())
    _say(f"Nothing changed: {verdict.why}.")


def _say(text: str) -> None:
    _screen.out().print(text, markup=False, soft_wrap=True)
