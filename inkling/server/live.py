"""Lists that push themselves: server-sent events, one stream a person, a new list whenever it changes.

One task computes for all streams: those whose own events came first, then those that a change of the catalogue
touches, in small blocks on a thread, so that questions and writes go on in between. A stream holds one list, the
newest: a reader that is slow misses what lay between, and costs no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool

from inkling.core.errors import OverloadError
from inkling.engine.base import Ask
from inkling.engine.pushing import Moved, Preview, Pushes

if TYPE_CHECKING:
    from inkling.engine.base import Engine
    from inkling.server.metrics import Metrics

_LOG = logging.getLogger("inkling.server")
MOST_STREAMS = 10_000
BEAT_S = 15.0
_BLOCK = 16
_OWN_GAP_S = 0.05  # a person's list is computed at most so often, however many events come
_TICK_S = 0.25
_SLOW_S = 30.0  # popularity and time move every list a little: each is looked at again after so long


@dataclass(eq=False, slots=True)
class Stream:
    """One open stream: whose it is, the newest list, and what its reader has seen."""

    question: Ask
    person: str
    seen: str
    """Mark of the list that the reader has."""
    mark: str = ""
    data: bytes = b""
    shown: Callable[[], None] | None = None
    dirty_at: float = 0.0
    """Since when its list may be another one (``perf_counter``); 0 where it is up to date."""
    computed_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    def end(self) -> None:
        """Let whoever sends the lists stop."""
        self.over = True
        self.changed.set()

    def take(self, preview: Preview) -> bool:
        """Take a list; return whether it is another one than before."""
        answer = preview.answer
        mark = mark_of(answer.item_ids)
        if mark == self.mark:
            return False
        self.mark, self.data, self.shown = mark, msgspec.json.encode(answer), preview.shown
        if mark != self.seen:
            self.changed.set()
        return True

    def next(self) -> tuple[str, bytes] | None:
        """Return the newest list with its mark, and count it as shown; None where the reader has it already."""
        self.changed.clear()
        if self.mark == self.seen or not self.mark:
            return None
        self.seen = self.mark
        if self.shown is not None:
            self.shown()
            self.shown = None
        return self.mark, self.data


def mark_of(item_ids: Sequence[str]) -> str:
    """Return what tells one order of items from another one."""
    return blake2b("\0".join(item_ids).encode(), digest_size=8).hexdigest()


class Hub:
    """All open streams of a server. It lives on the server's event loop."""

    def __init__(self, engine: Engine, metrics: Metrics, *, most: int = MOST_STREAMS) -> None:
        """Push lists of ``engine``; refuse more than ``most`` streams."""
        self._engine, self._metrics, self._most = engine, metrics, most
        self._streams: dict[str, set[Stream]] = {}
        self._own: dict[Stream, None] = {}
        self._rest: dict[Stream, None] = {}
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leave: Callable[[], None] | None = None
        self._version, self._unread, self._n = -1, 0, 0

    def __len__(self) -> int:
        return self._n

    def open(self, question: Ask, *, seen: str = "") -> Stream:
        """Open a stream; the first list comes at once unless it is the one that was ``seen``.

        Raises:
            OverloadError: There are as many as there may be.
        """
        if self._n >= self._most:
            raise OverloadError(f"{self._n} streams are open.", hint="Try again later, or ask another server.")
        user_id = question.user_id or ""
        person = self._engine.known_as(user_id) if isinstance(self._engine, Pushes) else user_id
        stream = Stream(question, person, seen)
        self._streams.setdefault(person, set()).add(stream)
        self._n += 1
        self._begin()
        self._mark(stream, time.perf_counter(), self._own)
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream; the last one ends the work."""
        mine = self._streams.get(stream.person, set())
        if stream not in mine:
            return
        mine.discard(stream)
        if not mine:
            del self._streams[stream.person]
        self._own.pop(stream, None)
        self._rest.pop(stream, None)
        self._n -= 1
        if not self._n:
            self._end()

    def _begin(self) -> None:
        if self._task is not None and not self._task.done():
            return
        loop = asyncio.get_running_loop()
        if isinstance(self._engine, Pushes):

            def hear(moved: Moved) -> None:
                loop.call_soon_threadsafe(self._hear, moved)

            self._leave = self._engine.follow(hear)
        self._task = loop.create_task(self._run())

    def _end(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _hear(self, moved: Moved) -> None:
        """Note whose list may have changed."""
        if moved.people is None:
            self._mark_all(moved.at)
            return
        for person in moved.people:
            for stream in self._streams.get(person, ()):
                self._mark(stream, moved.at, self._own)

    def _mark_all(self, at: float) -> None:
        for mine in self._streams.values():
            for stream in mine:
                self._mark(stream, at, self._rest)

    def _mark(self, stream: Stream, at: float, queue: dict[Stream, None]) -> None:
        stream.dirty_at = stream.dirty_at or at
        queue[stream] = None
        self._some.set()

    # -- computing ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        ticked = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), _TICK_S)
            self._some.clear()
            try:
                if time.perf_counter() - ticked >= _TICK_S:
                    ticked = time.perf_counter()
                    self._tick(ticked)
                await self._work()
            except Exception:  # one bad moment must not end all streams
                _LOG.exception("Lists could not be computed.")
                await asyncio.sleep(_TICK_S)

    async def _work(self) -> None:
        while block := self._next_block():
            since = [stream.dirty_at for stream in block]
            for stream in block:  # before computing: what comes meanwhile marks it again
                stream.computed_at, stream.dirty_at = time.perf_counter(), 0.0
            for stream, preview, at in zip(block, await self._previews(block), since, strict=True):
                known = bool(stream.mark)
                if preview is not None and stream.take(preview) and known:
                    self._metrics.changes.observe(time.perf_counter() - at, "pushed")
        if self._own or self._rest:
            self._some.set()
            await asyncio.sleep(_OWN_GAP_S / 4)

    def _next_block(self) -> list[Stream]:
        """Return streams to compute: those with own events first, none that was computed a moment ago."""
        now = time.perf_counter()
        block: list[Stream] = []
        for queue in (self._own, self._rest):
            for stream in queue:
                if len(block) == _BLOCK:
                    break
                if now - stream.computed_at >= _OWN_GAP_S and stream.question.k == (block or [stream])[0].question.k:
                    block.append(stream)
        for stream in block:
            self._own.pop(stream, None)
            self._rest.pop(stream, None)
        return list(dict.fromkeys(block))

    async def _previews(self, block: Sequence[Stream]) -> list[Preview | None]:
        """Return the lists of a block; None where one cannot be computed, which spoils no other."""
        engine = self._engine
        if not isinstance(engine, Pushes):
            return [Preview(await run_in_threadpool(engine.ask, one.question), lambda: None) for one in block]
        try:
            return list(await run_in_threadpool(engine.preview, [one.question for one in block]))
        except Exception as error:
            if len(block) == 1:
                _LOG.warning("A list could not be computed: %s", error)
                return [None]
            return [(await self._previews([one]))[0] for one in block]

    def _tick(self, now: float) -> None:
        """Look for what nobody tells of: an engine that cannot tell, texts that were read, and the passing of time."""
        unread = self._engine.reading().waiting
        moved = not isinstance(self._engine, Pushes) and self._engine.version != self._version
        if moved or (self._unread and not unread):
            self._mark_all(now)
        self._version, self._unread = self._engine.version, unread
        for mine in self._streams.values():
            for stream in mine:
                if now - stream.computed_at > _SLOW_S:
                    self._mark(stream, now, self._rest)
