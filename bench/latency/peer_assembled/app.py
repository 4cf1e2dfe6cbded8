"""The assembled peer over HTTP: ``WORLD=... [REDIS=redis://...] uvicorn bench.latency.peer_assembled.app:app``."""

import os
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from bench.latency._world import World
from bench.latency.peer_assembled.engine import Assembled, InRedis


class Question(BaseModel):
    """Who asks, or what for."""

    user_id: str = ""
    k: int = 10
    text: str | None = None


class Event(BaseModel):
    """What somebody did."""

    user_id: str
    item_id: str
    event: str = "interaction"
    timestamp: int | None = None


class Batch(BaseModel):
    """What several did."""

    events: list[Event]


class Item(BaseModel):
    """One place of a list."""

    item_id: str
    score: float


class Answer(BaseModel):
    """A list."""

    items: list[Item]


def _engine() -> Assembled:
    world = World.read(Path(os.environ["WORLD"]))
    if not os.environ.get("REDIS"):
        return Assembled(world)
    state = InRedis(os.environ["REDIS"])
    state.fill(world)
    return Assembled(world, state)


app = FastAPI()
engine = _engine()
rows = {item_id: row for row, item_id in enumerate(engine.world.item_ids)}


@app.post("/v1/recommend")
def recommend(question: Question) -> Answer:
    """Answer one question."""
    if question.text is not None:
        found = engine.for_text(question.text, question.k)
    else:
        found = engine.for_person(question.user_id, question.k)
    return Answer(items=[Item(item_id=item_id, score=score) for item_id, score in found])


@app.post("/v1/events", status_code=202)
def events(batch: Batch) -> dict[str, int]:
    """Take events in; with Redis, once they are on the disk."""
    now = int(time.time() * 1000)
    known = [(one.user_id, rows[one.item_id], one.timestamp or now) for one in batch.events if one.item_id in rows]
    engine.state.add(known)
    return {"accepted": len(known)}


@app.get("/healthz")
def healthz() -> dict[str, Any]:
    """Say that all is there."""
    return {"status": "ok", **engine.about()}
