"""Each answer is logged as an impression, without slowing the answer."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from inkling.core.recommendation import Recommendation

_LOG = logging.getLogger("inkling")


class ImpressionLog:
    """A queue and a thread: answers are handed over in a microsecond and written in batches.

    The queue is bounded; when the writer cannot keep up, impressions are counted as dropped instead of slowing answers.
    """

    def __init__(self, write: Callable[[tuple[dict[str, Any], ...]], object], *, limit: int = 100_000) -> None:
        """Write batches by ``write``; hold at most ``limit`` answers."""
        self._write = write
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(limit)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.n_dropped = 0

    def add(self, answer: Recommendation, *, who: dict[str, str], now_ms: int) -> None:
        """Hand over one answer."""
        row = {
            **who,
            "recommendation_id": answer.id,
            "timestamp": now_ms,
            "item_ids": [item.item_id for item in answer.items],
            "scores": [item.score for item in answer.items],
            "sources": [item.source for item in answer.items],
            "version": answer.version,
            "bundle": answer.bundle,
            "arm": answer.arm,
        }
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self.n_dropped += 1
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="inkling-impressions", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        going = True
        while going and (row := self._queue.get()) is not None:
            rows = [row]
            while len(rows) < 256 and going:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                going = following is not None
                if following is not None:
                    rows.append(following)
            self._flush(rows)

    def _flush(self, rows: list[dict[str, Any]]) -> None:
        try:
            self._write(tuple(rows))
        except Exception as error:  # a full disk or a closed log must not end the logging for good
            self.n_dropped += len(rows)
            _LOG.warning("%d impressions could not be logged: %s", len(rows), error)
        finally:
            for _ in rows:
                self._queue.task_done()

    def flush(self) -> None:
        """Wait until everything handed over so far is in the log."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.join()

    def close(self) -> None:
        """Write what is left and stop."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.join()
            self._queue.put(None)
            self._thread.join(timeout=10)
