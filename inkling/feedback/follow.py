"""A thread that reads the log behind everybody else: what it does never holds up a write or an answer."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from inkling.stores.base import Changes, Version

_LOG = logging.getLogger("inkling")
_MOST = 4096  # blocks that wait; beyond them the log itself is read
_PAUSE_EVERY, _PAUSE_S = 500, 0.002  # while it catches up, others have the processor in between


class Follower:
    """Calls ``take`` with every block of the log in order, from ``since`` on, in a thread of its own."""

    def __init__(
        self, scan: Callable[[Version], Iterator[Changes]], take: Callable[[Changes], None], *, since: Version = 0
    ) -> None:
        """Read blocks after a version with ``scan``."""
        self._scan, self._take = scan, take
        self.version: Version = since
        self._known: Version = since
        self._waiting: deque[Changes] = deque()
        self._some = threading.Event()
        self._moved = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self, known: Version) -> None:
        """Begin; the log reaches ``known`` already."""
        self._known = max(self._known, known)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="inkling-feedback", daemon=True)
            self._thread.start()
        self._some.set()

    def put(self, block: Changes) -> None:
        """Hand over a block that was committed."""
        self._known = max(self._known, block.version)
        if len(self._waiting) < _MOST:
            self._waiting.append(block)
        if not self._some.is_set():
            self._some.set()

    def wait(self, version: Version, timeout_s: float = 10.0) -> bool:
        """Wait until everything up to a version is taken in; return whether it was so in time."""
        with self._moved:
            return self._moved.wait_for(lambda: self.version >= version, timeout_s)

    def stop(self) -> None:
        """End the thread; what it did not read is read again by the next one."""
        self._closing = True
        self._some.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._closing:
            self._some.wait()
            self._some.clear()
            while self._waiting and not self._closing:
                self._next(self._waiting.popleft())
            if self.version < self._known and not self._waiting:
                self._catch_up()

    def _next(self, block: Changes) -> None:
        if block.version <= self.version:
            return
        if block.version - len(block.rows) == self.version:
            self._one(block)
        else:
            self._catch_up()

    def _catch_up(self) -> None:
        until = self._known
        try:
            for n, block in enumerate(self._scan(self.version)):
                self._one(block)
                if self._closing or self.version >= until:
                    return
                if n % _PAUSE_EVERY == _PAUSE_EVERY - 1:
                    time.sleep(_PAUSE_S)
        except Exception as error:
            if not self._closing:
                _LOG.warning("The log could not be read for feedback: %s", error)
                time.sleep(0.1)

    def _one(self, block: Changes) -> None:
        try:
            self._take(block)
        except Exception:
            _LOG.exception("Feedback could not take in a block of kind %s.", block.kind)
        with self._moved:
            self.version = block.version
            self._moved.notify_all()
