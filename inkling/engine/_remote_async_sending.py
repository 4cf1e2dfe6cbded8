"""Sends calls without blocking, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from inkling.core.errors import UnavailableError
from inkling.core.recommendation import Recommendation
from inkling.engine._remote_address import checked, client_settings
from inkling.engine._remote_calls import Call
from inkling.engine._remote_errors import away, ended, error_of
from inkling.engine._remote_events import EventReader, list_of, stream_of
from inkling.engine._remote_retry import Patience, headers_of, read, was_sent

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
_AT_ONCE = 8


class AsyncSender:
    """One server's connections, for one event loop."""

    def __init__(self, url: str, *, key: str, patience: Patience, transport: Any) -> None:
        """Prepare the connections to the server at ``url``; see ``AsyncEngine``."""
        import httpx2

        self.url, self._patience = checked(url), patience
        settings = client_settings(self.url, key, patience.timeout_s)
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(**settings, transport=transport)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def together(self, many: Sequence[Call[T]]) -> list[T]:
        """Send several calls over several connections; the answers come in the order of the calls."""
        return list(await asyncio.gather(*(self._in_turn(call) for call in many)))

    async def _in_turn(self, call: Call[T]) -> T:
        async with self._turns:
            return await self.send(call)

    async def send(self, call: Call[T]) -> T:
        """Send a call, again where that can help and do no harm; return what it answers."""
        tried = 0
        while True:
            tried += 1
            found = await self._once(call, tried)
            if not isinstance(found, float):
                return read(call, found, self.url)
            await asyncio.sleep(found)

    async def _once(self, call: Call[Any], tried: int) -> bytes | float:
        """Return the body of a good answer, or how long to wait before the next try."""
        import httpx2

        limit = httpx2.Timeout(self._patience.timeout_s + call.wait_s)
        try:
            answer = await self._client.request(
                call.method, call.path, params=call.query, content=call.body, timeout=limit, headers=headers_of(call)
            )
        except httpx2.TransportError as error:
            pause = self._patience.after_break(call, tried, sent=was_sent(error))
            if pause is None:
                raise away(self.url, error, tries=tried) from error
            return pause
        if answer.status_code < 300:
            return answer.content
        return self._patience.judged(call, tried, answer, self.url)

    async def watch(self, user_id: str, k: int, *, last_id: str) -> AsyncIterator[Recommendation]:
        """Yield a person's list whenever it changes; a connection that breaks is opened again."""
        reader, failed = EventReader(last_id), 0
        while True:
            try:
                async for answer in self._stream(user_id, k, reader):
                    failed = 0
                    yield answer
            except UnavailableError:
                failed += 1
                pause = self._patience.after_stream(failed)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _stream(self, user_id: str, k: int, reader: EventReader) -> AsyncIterator[Recommendation]:
        import httpx2

        limit = httpx2.Timeout(self._patience.timeout_s, read=self._patience.silence_s)
        try:
            async with self._client.stream(**stream_of(user_id, k, reader), timeout=limit) as answer:
                if answer.status_code != 200:
                    raise error_of(answer.status_code, await answer.aread(), url=self.url)
                async for line in answer.aiter_lines():
                    if (found := list_of(reader.take(line))) is not None:
                        yield found
        except httpx2.TransportError as error:
            raise away(self.url, error, tries=1) from error
        raise ended(self.url)
