"""Work in a second process, with its progress told here: two cores, two models at a time."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar, cast

from inkling.core.errors import InklingError
from inkling.core.run import Progress

T = TypeVar("T")


class Aside(Generic[T]):
    """A function that runs in a process of its own; ``result`` waits for it."""

    def __init__(self, work: Callable[..., T], *args: Any, progress: Progress) -> None:
        """Start ``work(*args, progress)``; both ends must be importable, as the new process begins from nothing."""
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(there, work, args), daemon=True)
        self._process.start()
        there.close()
        self._progress = progress
        self._found: list[T] = []
        self._error: list[BaseException] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def result(self) -> T:
        """Return what the work returned.

        Raises:
            InklingError: The process ended without a result.
            Exception: What the work raised.
        """
        self._listener.join()
        self._process.join()
        if self._error:
            raise self._error[0]
        if not self._found:
            raise InklingError(
                f"The second process ended with status {self._process.exitcode} and no result.",
                hint="Most often memory ran out: close other programs and try again.",
            )
        return self._found[0]

    def stop(self) -> None:
        """End the process, whatever it is at."""
        if self._process.is_alive():
            self._process.terminate()

    def _listen(self) -> None:
        try:
            while True:
                kind, *content = self._here.recv()
                if kind == "progress":
                    self._progress(*content)
                else:
                    (self._found if kind == "result" else self._error).append(content[0])
                    return
        except EOFError:
            return


def _work(there: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    def progress(stage: str, done: int, total: int) -> None:
        there.send(("progress", stage, done, total))

    try:
        there.send(("result", work(*args, cast("Progress", progress))))
    except Exception as error:
        there.send(("error", error))
    finally:
        there.close()
