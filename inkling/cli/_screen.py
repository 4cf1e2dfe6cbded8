"""The screen: results on standard output, progress and errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from inkling.core.run import Progress

PIPE_WIDTH = 120


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def out() -> Console:
    """Return the console of results."""
    return _console(sys.stdout)


def aside() -> Console:
    """Return the console of progress, notes and errors."""
    return _console(sys.stderr)


def write_json(content: bytes) -> None:
    """Write JSON as it is, whatever the terminal's width."""
    sys.stdout.write(content.decode() + "\n")


def show_error(message: str, hint: str) -> None:
    """Show one line in red, and what to do next in plain letters."""
    from rich.text import Text

    line = Text.assemble(("error: ", "bold red"), (message, "red"), f" {hint}" if hint else "")
    aside().print(line, soft_wrap=True)


def note(text: str) -> None:
    """Say something beside the result."""
    from rich.text import Text

    aside().print(Text(text, style="dim"), soft_wrap=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show bars of long work while inside; where nobody watches, a line for each stage."""
    console = aside()
    if not console.is_terminal:
        yield _Lines(console).show
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield _Bars(bars).show


class _Bars:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total or None, done="")
        told = f"{done:,} of {total:,}" if total > 1 else f"{done:,}" if done > 1 else ""
        self._bars.update(self._tasks[stage], completed=done, done=told)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: set[str] = set()

    def show(self, stage: str, done: int, total: int) -> None:
        if stage not in self._seen:
            self._seen.add(stage)
            self._console.print(f"{stage} ...", style="dim", markup=False)
