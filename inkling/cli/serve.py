"""``inkling serve``: answer over HTTP, with the console."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inkling.cli import _arguments, _inputs, _renewal, _screen

if TYPE_CHECKING:
    from inkling.language.generate import Generator

EXAMPLES = """\
examples:
  inkling serve out/retail
  inkling serve out/retail --store file:///var/lib/shop --port 9000
  INKLING_KEYS=secret inkling serve out/retail --host 0.0.0.0
  inkling serve out/retail --store file:///var/lib/shop --refit-every 24 --experiments experiments.toml
  inkling serve out/retail --generate http://localhost:11434/v1#qwen3

What is observed is kept in the store; without --store it is kept in memory and lost at the end.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    _arguments.add_bundle(parser)
    add = parser.add_argument
    add("--store", default="memory://", metavar="URL", help="where what happens is kept: memory:// or file:///a/folder")
    add("--host", default="127.0.0.1", metavar="H", help="address to listen on (127.0.0.1); any other one needs keys")
    add("--port", type=int, default=8080, metavar="P", help="port to listen on (8080); 0 takes a free one")
    add("--workers", type=int, default=1, metavar="N", help="processes (1)")
    add(
        "--durability",
        choices=("fsync", "os"),
        default="fsync",
        help="what accepted means: on disk, or with the system",
    )
    add(
        "--generate",
        metavar="MODEL",
        help="a generative model that writes profiles and reasons in the background: http://host/v1#NAME of any "
        "OpenAI-compatible server, or local:FOLDER",
    )
    add("--generate-key", default="", metavar="VARIABLE", help="environment variable that holds the model's key")
    _renewal.add_arguments(parser)
    add("--keys", metavar="A,B", help="keys that callers need; INKLING_KEYS where it is left out")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from inkling.server.keys import KEYS_VARIABLE, parse_keys
    from inkling.server.serve import serve

    keys = parse_keys(args.keys if args.keys is not None else os.environ.get(KEYS_VARIABLE, ""))
    with _inputs.open_bundle(args.bundle, store=args.store, durability=args.durability) as engine:
        if args.generate:
            engine.write_with(_generator(args))
        engine.warm()
        with _renewal.renewed(engine, args):
            serve(engine, args.host, args.port, workers=args.workers, keys=keys, ready=_ready)
    return 0


def _generator(args: argparse.Namespace) -> Generator:
    """Return the generative model; what it writes is kept beside the store, where that is a folder."""
    from inkling.language.generate import Generator, open_speaker

    scheme, _, folder = args.store.partition("://")
    path = Path(unquote(folder)) / "written.sqlite" if scheme == "file" and folder else None
    return Generator(open_speaker(args.generate, key_variable=args.generate_key), path=path)


def _ready(url: str) -> None:
    _screen.out().print(
        f"Serving {url}: console {url}/console, calls {url}/docs. Ctrl-C stops.", markup=False, soft_wrap=True
    )
