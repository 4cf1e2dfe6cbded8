"""Texts are read after they are written, on a thread of their own: a write is acknowledged, a question never waits."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from inkling.core.arrays import F32, I32, Bool
from inkling.core.config import Config
from inkling.engine.base import ReadingStatus

_LOG = logging.getLogger("inkling")
_AIM_S = 0.1  # a batch is cut so that it takes about this long: what comes meanwhile waits no longer for its stand-in
_MOST_AT_ONCE = 256
_SLOWER = 4  # each further try of a batch waits so many times longer

Read: TypeAlias = Callable[[Sequence[str]], F32]
Place: TypeAlias = Callable[[I32, F32], None]


class Patience(Config, frozen=True, kw_only=True):
    """What happens to a text that cannot be read."""

    tries: int = 3
    """How often it is tried in a row."""
    pause_s: float = 0.1
    """Pause after the first failure; each further one is four times as long."""
    again_s: float = 60.0
    """What failed in all tries is tried again after so many seconds."""


class Reading:
    """Rows whose text is to be read: a mark for each, and a bounded queue of those that come next.

    ``put`` never blocks: a full queue leaves the row with its mark, and marked rows are queued again, lowest first, as
    soon as there is room. A mark is a view of the log (a row is unread when its text is newer than its vector), so a
    process that was killed finds them again when the log is replayed. The text is looked up when it is read, so a row
    that changed twice is read once.
    """

    def __init__(
        self,
        text_of: Callable[[int], str],
        read: Read,
        place: Place,
        *,
        welcome: Callable[[I32], None] | None = None,
        holds: Callable[[int], bool] | None = None,
        limit: int = 4096,
        patience: Patience | None = None,
    ) -> None:
        """Read by ``read`` what ``text_of`` a row says, and hand the vectors to ``place``.

        Args:
            text_of: Row -> text as it is now; "" where there is nothing to read.
            read: Texts -> vectors (N, dim).
            place: Takes rows and their vectors.
            welcome: Told of rows before they are read, on the reader's thread; it must be quick.
            holds: Row -> whether it has a vector, which goes when there is nothing left to read.
            limit: Length of the queue.
            patience: What happens to a text that cannot be read.
        """
        self._text_of, self._read, self._place, self._welcome = text_of, read, place, welcome
        self._holds = holds
        self._limit, self._patience = limit, patience or Patience()
        self._failed: deque[tuple[float, int]] = deque()
        self._marks: Bool = np.zeros(0, dtype=np.bool_)
        self._queue: deque[int] = deque()
        self._new: list[int] = []
        self._since: dict[int, float] = {}
        self._n_waiting = self._n_read = self._n_busy = 0
        self._reading_s = 0.0
        self._dim = 0
        self._beyond_since = 0.0
        self._n_at_once = 8
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, rows: I32) -> None:
        """Mark rows as unread and queue those that there is room for."""
        if not len(rows):
            return
        now = time.monotonic()
        with self._changed:
            self._grow(int(rows.max()) + 1)
            for row in rows.tolist():
                self._mark(row, now)
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="inkling-reading", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _grow(self, n: int) -> None:
        if n > len(self._marks):
            more = max(64, n, 2 * len(self._marks)) - len(self._marks)
            self._marks = np.concatenate([self._marks, np.zeros(more, dtype=np.bool_)])

    def _mark(self, row: int, now: float) -> None:
        if self._marks[row]:
            return
        self._marks[row] = True
        self._n_waiting += 1
        if len(self._queue) < self._limit:
            self._queue.append(row)
            self._since[row] = now
            if self._welcome is not None:
                self._new.append(row)
        elif not self._beyond_since:
            self._beyond_since = now

    # -- looking --------------------------------------------------------------------------------------------------

    def status(self) -> ReadingStatus:
        """Return how far the reader is."""
        now = time.monotonic()
        with self._changed:
            oldest = min((*self._since.values(), *([self._beyond_since] if self._beyond_since else [])), default=now)
            per_second = self._n_read / self._reading_s if self._reading_s > 0 else 0.0
            return ReadingStatus(
                waiting=self._n_waiting + self._n_busy,
                queued=len(self._queue),
                read=self._n_read,
                failed=len(self._failed),
                per_second=round(per_second, 1),
                lag_s=round(now - oldest, 3),
            )

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything marked so far is read or given up; return whether it was so in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._n_waiting + self._n_busy == 0 or self._stopping, timeout_s
            ) and (self._n_waiting + self._n_busy == 0)

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Finish the batch at hand and end the thread; what is left keeps its marks."""
        with self._changed:
            self._stopping = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    # -- reading --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._n_waiting > 0, self._until_again())
                if self._stopping:
                    return
                self._mark_failed()
                rows, new = self._next()
            if not rows:
                continue
            if new and self._welcome is not None:
                self._quietly(self._welcome, np.array(new, dtype=np.int32))
            self._batch(rows)
            with self._changed:
                self._n_busy = 0
                for row in rows:
                    if not self._marks[row]:
                        self._since.pop(row, None)
                self._changed.notify_all()

    def _until_again(self) -> float | None:
        return max(self._failed[0][0] - time.monotonic(), 0.0) if self._failed else None

    def _mark_failed(self) -> None:
        now = time.monotonic()
        while self._failed and self._failed[0][0] <= now:
            self._mark(self._failed.popleft()[1], now)

    def _next(self) -> tuple[list[int], list[int]]:
        """Return the next rows, without their marks, and those that just came; the queue is filled up from marks."""
        if not self._queue:
            more = np.flatnonzero(self._marks)[: self._limit].tolist()
            self._queue.extend(more)
            self._since.update(dict.fromkeys(more, self._beyond_since or time.monotonic()))
            self._new += more if self._welcome is not None else []
            if len(more) < self._limit:
                self._beyond_since = 0.0
        rows: list[int] = []
        while self._queue and len(rows) < self._n_at_once:
            row = self._queue.popleft()
            if self._marks[row]:
                self._marks[row] = False  # before its text is looked up: a change from now on marks it again
                rows.append(row)
        self._n_waiting -= len(rows)
        self._n_busy = len(rows)
        new, self._new = self._new, []
        return rows, new

    def _batch(self, rows: list[int]) -> None:
        start = time.monotonic()
        failed: list[int] = []
        if not self._tried(rows, self._patience.tries):
            failed = rows if len(rows) == 1 else [row for row in rows if not self._tried([row], 1)]
        now = time.monotonic()
        took = now - start
        with self._changed:
            self._n_read += len(rows) - len(failed)
            self._failed.extend((now + self._patience.again_s, row) for row in failed)
            self._reading_s += took
        each = took / max(len(rows), 1)
        self._n_at_once = int(np.clip(_AIM_S / max(each, 1e-6), 1, min(2 * self._n_at_once, _MOST_AT_ONCE)))

    def _tried(self, rows: list[int], tries: int) -> bool:
        """Read rows and place their vectors, in several tries; return whether it worked."""
        pause = self._patience.pause_s
        for turn in range(tries):
            try:
                self._take(rows)
            except Exception as error:  # whatever an encoder chokes on: the rows stay served by their other signals
                _LOG.warning("%d texts could not be read (try %d of %d): %s", len(rows), turn + 1, tries, error)
                if self._stopping:
                    return False
                if turn + 1 < tries:
                    with self._changed:
                        self._changed.wait_for(lambda: self._stopping, pause)
                    pause *= _SLOWER
            else:
                return True
        return False

    def _take(self, rows: list[int]) -> None:
        texts = [self._text_of(row) for row in rows]
        if any(texts):
            vectors = self._read(texts)
            self._dim = vectors.shape[1]
        elif self._dim:
            vectors = np.zeros((len(rows), self._dim), dtype=np.float32)
        else:
            rows = [row for row in rows if self._holds is not None and self._holds(row)]
            if not rows:
                return  # there is no old vector to take away, and so no reason to open the encoder
            vectors = self._read([""] * len(rows))
        self._place(np.array(rows, dtype=np.int32), vectors)

    def _quietly(self, work: Callable[[I32], None], rows: I32) -> None:
        try:
            work(rows)
        except Exception as error:
            _LOG.warning("%d rows could not be given a stand-in: %s", len(rows), error)
