"""Server-sent events, line by line (HTML Living Standard, 9.2.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from inkling.core.recommendation import Recommendation
from inkling.engine._remote_calls import get_user


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream."""

    name: str
    data: str
    id: str


class EventReader:
    """Puts lines together to events; remembers the last id for whoever has to connect again."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self._name, self._data = "", list[str]()

    def take(self, line: str) -> ServerEvent | None:
        """Take the next line; return the event that it ends."""
        if not line:
            return self._done()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self.last_id = value
        return None

    def _done(self) -> ServerEvent | None:
        made = ServerEvent(self._name or "message", "\n".join(self._data), self.last_id) if self._data else None
        self._name, self._data = "", []
        return made


def stream_of(user_id: str, k: int, reader: EventReader) -> dict[str, Any]:
    """Return the arguments of a call for a person's stream, from where ``reader`` is."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": reader.last_id} if reader.last_id else {})}
    url = f"{get_user(user_id).path}/stream"
    return {"method": "GET", "url": url, "params": {"k": str(k)}, "headers": headers}


def list_of(event: ServerEvent | None) -> Recommendation | None:
    """Return the list that an event carries; None for others."""
    return msgspec.json.decode(event.data, type=Recommendation) if event and event.name == "list" else None
