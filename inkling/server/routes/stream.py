"""A person's list as a stream of server-sent events."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inkling.engine.asking import check
from inkling.engine.base import Ask
from inkling.server.endpoint import Call, Endpoint
from inkling.server.live import BEAT_S, Hub, Stream
from inkling.server.routes.recommend import spoken
from inkling.server.schemas import ListQuery

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_BEAT = b": beat\n\n"
_RETRY = b"retry: 1000\n\n"


class LiveResponse(Response):
    """Sends a list, and a new one whenever it changes, until the reader leaves or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, question: Ask) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._hub, self._question = hub, question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        head = scope["method"] == "HEAD"
        last = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"")
        # Opened first: a server that has too many says so with a status.
        stream = None if head else self._hub.open(self._question, seen=last.decode("latin-1"))
        scope["inkling.streaming"] = True
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if stream is not None:
                await _sent(stream, scope, receive, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            if stream is not None:
                self._hub.close(stream)


async def _sent(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send lists until the reader leaves or the server stops."""
    scope["inkling.end"] = stream.end
    gone = asyncio.ensure_future(_left(receive, stream))
    try:
        await send({"type": "http.response.body", "body": _RETRY, "more_body": True})
        while not stream.over:
            body = await _next(stream)
            if body and not stream.over:
                await send({"type": "http.response.body", "body": body, "more_body": True})
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


async def _next(stream: Stream) -> bytes:
    """Return what to send next: a list, or a beat that tells both sides that the other one is there."""
    try:
        await asyncio.wait_for(stream.changed.wait(), BEAT_S)
    except TimeoutError:
        return _BEAT
    found = stream.next()
    if found is None:
        return b""
    mark, data = found
    return b"event: list\nid: " + mark.encode() + b"\ndata: " + data + b"\n\n"


async def _left(receive: Receive, stream: Stream) -> None:
    """Wait until the reader leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _stream(call: Call) -> LiveResponse:
    query: ListQuery = call.query
    question = Ask(user_id=call.ids["id"], k=query.k, explain=query.explain, language=query.language)
    check(question)
    return LiveResponse(call.around.live, spoken(call, question))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/users/{id}/stream",
        _stream,
        "A person's list as server-sent events: a new one whenever it changes; Last-Event-ID goes on from there.",
        query=ListQuery,
        media="text/event-stream",
    ),
)
