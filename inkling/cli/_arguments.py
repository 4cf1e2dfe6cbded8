"""Arguments: a parser whose errors show the way, and the few forms that arguments take."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from inkling.core.errors import ConfigError, nearest


class Command(Protocol):
    """What a command's file defines."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """State the arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; return the exit status."""


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of leaving the process, and names the nearest spelling of an unknown flag."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.prog}: {message}.", hint=f"See `{self.prog} --help`.")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the arguments.

        Raises:
            ConfigError: A flag is unknown, one is missing, or a value does not fit.
        """
        flags = [flag for action in self._actions for flag in action.option_strings]
        for word in words:  # before argparse, which would rather say that something is missing
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in flags:
                raise ConfigError(f"{self.prog}: there is no flag '{flag}'.", hint=nearest(flag, flags))
        args, rest = self.parse_known_args(list(words))
        if rest:
            raise ConfigError(f"{self.prog}: '{rest[0]}' is one word too many.", hint=f"See `{self.prog} --help`.")
        return args


def parser_of(name: str, summary: str, command: Any) -> Parser:
    """Return the parser of one command, from its file."""
    parser = Parser(
        prog=f"inkling {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=getattr(command, "EXAMPLES", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser


def words(text: str) -> tuple[str, ...]:
    """Read ``a,b,c``."""
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if not found:
        raise argparse.ArgumentTypeError("expected names with commas between them")
    return found


def whole_numbers(text: str) -> tuple[int, ...]:
    """Read ``10,20``."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}': expected whole numbers with commas between them") from error


def shares(text: str) -> tuple[float, ...]:
    """Read ``.5,.9``."""
    try:
        return tuple(float(word) for word in words(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}': expected numbers with commas between them") from error


def pair(text: str) -> tuple[str, str]:
    """Read ``key=value``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"'{text}': expected key=value")
    return key.strip(), value


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """State the argument BUNDLE."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a folder that `inkling fit` wrote")


def add_scenario(parser: argparse.ArgumentParser) -> None:
    """State the flag ``--scenario``."""
    parser.add_argument(
        "--scenario",
        metavar="S",
        help="a name (retail, video, music, news, social, home, finance, general) or a .toml file; "
        "by default what dataset.toml says, else general",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """State the flag ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON, as the HTTP API would answer")
