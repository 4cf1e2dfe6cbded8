"""Learning anew beside a server: another process at low priority does it, so that no request waits."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from inkling.cli.refit import file_store
from inkling.core.errors import StoreError

if TYPE_CHECKING:
    from inkling.engine.engine import LocalEngine

_MAIN = "import os, sys; getattr(os, 'nice', int)(10); from inkling.cli import main; sys.exit(main(sys.argv[1:]))"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments of a server that learns."""
    parser.add_argument(
        "--refit-every",
        metavar="N-events|HOURS",
        help="learn anew in another process after so many events or hours, and swap in what is no worse",
    )
    parser.add_argument("--experiments", metavar="FILE", help="what is tried on whom: experiments.toml")


@contextlib.contextmanager
def renewed(engine: LocalEngine, args: argparse.Namespace) -> Iterator[None]:
    """Keep the engine's bundle up to date while inside, where that was asked for.

    Raises:
        ConfigError: The store is in memory, or it is not said how often.
    """
    from inkling.engine.bundles import Bundles
    from inkling.engine.schedule import Every, Schedule, parse_every

    every = parse_every(args.refit_every) if args.refit_every else Every()
    learn = learner(args.bundle, file_store(args.store)) if args.refit_every else _nothing
    if args.experiments:
        engine.put_experiments(args.experiments)
    schedule = Schedule(engine, Bundles(args.bundle), learn, every=every)
    schedule.start()
    try:
        yield
    finally:
        schedule.stop()


def _nothing() -> None:
    """Learn nothing: nobody asked for it."""


def learner(bundle: str, store: str) -> Callable[[], None]:
    """Return what runs ``inkling refit`` in another process and waits for its end."""

    def learn() -> None:
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "refit", bundle, "--store", store],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StoreError(f"inkling refit ended with {done.returncode}: {done.stderr.strip()[-500:]}")

    return learn
