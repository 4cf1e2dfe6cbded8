"""The tuned peer over HTTP: ``WORLD=... [REDIS=redis://...] uvicorn bench.latency.peer_tuned.app:app``."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.latency._world import World
from bench.latency.peer_tuned.engine import Tuned
from bench.latency.peer_tuned.state import InRedis


class Question(msgspec.Struct):
    """Who asks, or what for."""

    user_id: str = ""
    k: int = 10
    text: str | None = None


class Event(msgspec.Struct):
    """What somebody did."""

    user_id: str
    item_id: str
    event: str = "interaction"
    timestamp: int | None = None


class Batch(msgspec.Struct):
    """What several did."""

    events: list[Event]


_QUESTIONS, _BATCHES = msgspec.json.Decoder(Question), msgspec.json.Decoder(Batch)
_ENCODER = msgspec.json.Encoder()
_ENGINE = Tuned(World.read(Path(os.environ["WORLD"])))
_ROWS = {item_id: row for row, item_id in enumerate(_ENGINE.world.item_ids)}
_REDIS = InRedis(os.environ["REDIS"]) if os.environ.get("REDIS") else None


def _json(content: object, status: int = 200) -> Response:
    return Response(_ENCODER.encode(content), status, media_type="application/json")


async def recommend(request: Request) -> Response:
    """Answer one question."""
    asked = _QUESTIONS.decode(await request.body())
    if asked.text is not None:
        found = _ENGINE.for_text(asked.text, asked.k)
    elif _REDIS is None:
        found = _ENGINE.for_person(asked.user_id, asked.k)
    else:
        found = _ENGINE.after(await _REDIS.last(asked.user_id), asked.k)
    return _json({"items": [{"item_id": item_id, "score": score} for item_id, score in found]})


async def events(request: Request) -> Response:
    """Take events in; with Redis, once they are on the disk."""
    given, now = _BATCHES.decode(await request.body()).events, int(time.time() * 1000)
    known = [(one.user_id, _ROWS[one.item_id], one.timestamp or now) for one in given if one.item_id in _ROWS]
    if _REDIS is None:
        _ENGINE.state.add(known)
    else:
        await _REDIS.add(known)
    return _json({"accepted": len(known)}, 202)


async def healthz(request: Request) -> Response:
    """Say that all is there."""
    return _json({"status": "ok", **_ENGINE.about()})


@asynccontextmanager
async def _begin(app: Starlette) -> AsyncIterator[None]:
    if _REDIS is not None:
        await _REDIS.fill(_ENGINE.world)
    yield


app = Starlette(
    routes=[
        Route("/v1/recommend", recommend, methods=["POST"]),
        Route("/v1/events", events, methods=["POST"]),
        Route("/healthz", healthz),
    ],
    lifespan=_begin,
)
