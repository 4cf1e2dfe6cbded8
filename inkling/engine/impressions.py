"""Each answer is logged as an impression, without slowing the answer."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from inkling.core.recommendation import Recommendation

_Waiting: TypeAlias = tuple[Recommendation, dict[str, str], int, dict[str, Any] | None, Mapping[str, Any] | None]
_LOG = logging.getLogger("inkling")
_BATCH = 256
_WAIT_S = 0.05  # so long the writer lets answers gather: each batch costs the same few hundred microseconds


class ImpressionLog:
    """Answers are handed over in a microsecond and written in batches by a thread.

    The queue is bounded; when the writer cannot keep up, impressions are counted as dropped instead of slowing answers.
    """

    def __init__(self, write: Callable[[tuple[dict[str, Any], ...]], object], *, limit: int = 100_000) -> None:
        """Write batches by ``write``; hold at most ``limit`` answers."""
        self._write = write
        self._limit = limit
        self._waiting: deque[_Waiting] = deque()
        self._some, self._hurry = threading.Event(), threading.Event()
        self._idle = threading.Condition()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._busy = self._closing = False
        self.n_dropped = 0

    def add(
        self,
        answer: Recommendation,
        *,
        who: dict[str, str],
        now_ms: int,
        asked: dict[str, Any] | None = None,
        dealt: Mapping[str, Any] | None = None,
    ) -> None:
        """Hand over one answer.

        Args:
            answer: What was answered.
            who: The person and the session, as far as they are known.
            now_ms: When.
            asked: What a question that follows it up needs to know.
            dealt: How the arm was dealt, for the verdict.
        """
        if len(self._waiting) >= self._limit:
            self.n_dropped += 1
            return
        self._waiting.append((answer, who, now_ms, asked, dealt))
        if not self._some.is_set():
            self._some.set()
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="inkling-impressions", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not (self._closing and not self._waiting):
            self._some.wait()
            self._hurry.wait(_WAIT_S)
            self._some.clear()  # before looking: what comes later sets it again
            self._busy = True
            while self._waiting:
                self._flush([self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))])
            with self._idle:
                self._busy = False
                self._idle.notify_all()

    def _flush(self, waiting: list[_Waiting]) -> None:
        try:
            self._write(tuple([_row(*one) for one in waiting]))
        except Exception as error:  # a full disk or a closed log must not end the logging for good
            self.n_dropped += len(waiting)
            _LOG.warning("%d impressions could not be logged: %s", len(waiting), error)

    def flush(self) -> None:
        """Wait until everything handed over so far is in the log."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._hurry.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._waiting and not self._busy)
        self._hurry.clear()

    def close(self) -> None:
        """Write what is left and stop."""
        if self._thread is not None and self._thread.is_alive():
            self._closing = True
            self._hurry.set()
            self._some.set()
            self._thread.join(timeout=10)


def _row(
    answer: Recommendation,
    who: dict[str, str],
    now_ms: int,
    asked: dict[str, Any] | None,
    dealt: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        **who,
        "recommendation_id": answer.id,
        "timestamp": now_ms,
        "item_ids": [item.item_id for item in answer.items],
        "scores": [item.score for item in answer.items],
        "sources": [item.source for item in answer.items],
        "version": answer.version,
        "bundle": answer.bundle,
        "arm": answer.arm,
        **({"asked": asked} if asked else {}),
        **(dealt or {}),
    }
