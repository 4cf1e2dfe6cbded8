"""The command line. A command is a file; it is imported when it is called, so that ``--help`` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from inkling.core.errors import ConfigError, InklingError, nearest

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "the main job on the bundled real data, then the server and the console",
    "fit": "learn from a data folder, or from a store's own log, and write a bundle",
    "evaluate": "compare models under one protocol: quality, milliseconds, seconds to fit",
    "tune": "search settings by validation, keeping every trial",
    "pretrain": "let a language model read the domain's own text",
    "adapt": "teach a language model what people do with the items that it reads",
    "recommend": "answer for a person, a sentence or a list of items",
    "onboard": "ask somebody new two or three questions, and show what they lead to",
    "similar": "show the items most like one",
    "score": "show the probability that a person takes each of some items",
    "explain": "show why an item stands where it stands for a person",
    "compress": "make a bundle smaller, within a budget of milliseconds and a share of the quality",
    "profile": "show where a bundle's milliseconds and megabytes go",
    "serve": "answer over HTTP, with the console",
    "refit": "learn anew from a store's own log; take over only what is no worse",
    "update": "fold a store's log into the bundle, so that the next start need not replay it",
    "doctor": "check this machine, a data folder or a bundle",
    "erase": "forget a person, and print the receipt",
}
"""Command -> what it does, in the order of the help."""

EXIT_ERROR, EXIT_BUG, EXIT_INTERRUPT = 2, 1, 130
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
_PARALLEL = frozenset({"fit", "compress"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 after an error that says what to do, 1 after a defect.

    Args:
        argv: The words after ``inkling``; those of the process where they are left out.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPT
    except BrokenPipeError:
        # The reader (head, less) left; nothing more can be written, not even by the interpreter's own flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InklingError, OSError) as error:
        if debug:
            raise
        return _told(error)
    except Exception as error:
        if debug:
            raise
        return _surprised(error)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return 0
    if words[0] == "--version":
        from inkling import __version__

        sys.stdout.write(f"inkling {__version__}\n")
        return 0
    name = words[0]
    if name not in COMMANDS:
        _unknown(name)
    _limit_threads(name)
    module = importlib.import_module(f"inkling.cli.{name}")
    from inkling.cli._arguments import parser_of

    parser = parser_of(name, COMMANDS[name], module)
    status: int = module.run(parser.parse(words[1:]))
    return status


def usage() -> str:
    """Return the help of ``inkling`` itself."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            "Language-model recommendations in real time.",
            "",
            "usage: inkling COMMAND ... [--debug]",
            "",
            *lines,
            "",
            "`inkling COMMAND --help` tells more; `inkling --version` names the version; --debug shows tracebacks.",
            "",
        ]
    )


def _unknown(name: str) -> NoReturn:
    raise ConfigError(f"There is no command '{name}'.", hint=nearest(name, COMMANDS))


def _limit_threads(command: str) -> None:
    """State how many threads array maths may use, before it is imported: one, except where a fit has the machine."""
    n_threads = os.cpu_count() or 1 if command in _PARALLEL else 1
    for name in _THREADS:
        os.environ.setdefault(name, str(n_threads))


def _told(error: InklingError | OSError) -> int:
    from inkling.cli._screen import show_error

    message, hint = (error.message, error.hint) if isinstance(error, InklingError) else (_system(error), "")
    show_error(message, hint)
    return EXIT_ERROR


def _system(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}." if error.filename and error.strerror else f"{error}."


def _surprised(error: Exception) -> int:
    from inkling.cli._screen import show_error

    hint = "This is a defect of Inkling, not of your call: run again with --debug and report what it shows."
    show_error(f"{type(error).__name__}: {error}", hint)
    return EXIT_BUG
