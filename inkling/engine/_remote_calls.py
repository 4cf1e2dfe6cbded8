"""The verbs of an engine as calls over the wire: what is sent, and how the answer is read. Nothing here sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from inkling.core.errors import RequestError
from inkling.core.recommendation import Recommendation
from inkling.engine.base import Accepted, Ask, Onboarded, ReadingStatus, Receipt, Rejected, Row
from inkling.engine.wire import check_events, check_rows

T = TypeVar("T")
MOST_ROWS = 2_000
"""Rows of one bulk call."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of one bulk call; a server takes twice as many."""
MOST_WAIT_S = 600.0
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call.

    Attributes:
        method: The HTTP method.
        path: From ``/v1`` on, percent-encoded.
        read: Turns the body of a good answer into what the verb returns.
        query: Parameters behind the path.
        body: JSON, or None.
        repeatable: Whether sending it twice does what sending it once does, so that it may be sent again when nobody
            knows whether it arrived.
        wait_s: How much longer than others the server may take on purpose.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = True
    wait_s: float = 0.0


def ask(question: Ask) -> Call[Recommendation]:
    """Return the call for one question."""
    return Call("POST", "/v1/recommend", _list, body=_encode(question))


def similar(item_id: str, k: int) -> Call[Recommendation]:
    """Return the call for the items most like one."""
    return Call("GET", f"{_item(item_id)}/similar", _list, {"k": str(k)})


def score(user_id: str, item_ids: Sequence[str]) -> Call[list[float]]:
    """Return the call for scores."""
    body = _encode({"user_id": user_id, "items": list(item_ids)})
    return Call("POST", "/v1/score", _field("scores"), body=body)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events on their way: the calls, and what was refused before anything was sent."""

    calls: list[Call[Accepted]]
    index: list[list[int]]
    """For each call, the position of each of its rows in the batch."""
    refused: list[Rejected]

    def joined(self, answers: Sequence[Accepted]) -> Accepted:
        """Return the answers of all calls as one."""
        told = [
            Rejected(places[row.index], row.reason)
            for places, answer in zip(self.index, answers, strict=True)
            for row in answer.rejected
        ]
        rejected = tuple(sorted((*self.refused, *told), key=lambda row: row.index))
        return Accepted(max(a.version for a in answers), sum(a.accepted for a in answers), rejected)


def events(rows: Sequence[Row]) -> Batch:
    """Return the calls for events; each row gets an ``event_id`` here, so that a retry doubles nothing."""
    good, bad = check_events(rows, now_ms=0)
    refused = {row.index for row in bad}
    places = [index for index in range(len(rows)) if index not in refused]
    sent = [_as_given(row, rows[index]) for row, index in zip(good, places, strict=True)]
    blocks = list(_blocks("events", sent, "/v1/events", _accepted))
    ends = [0]
    for n_rows, _ in blocks:
        ends.append(ends[-1] + n_rows)
    index = [places[start:end] for start, end in pairwise(ends)]
    return Batch([call for _, call in blocks], index, bad)


def refuse(rejected: Sequence[Rejected], n_rows: int, *, taken: int = 0) -> None:
    """Raise for the first bad event, as an engine does that takes a batch as a whole.

    Raises:
        RequestError: There is one.
    """
    if rejected:
        beside = f" {taken} others were taken." if taken else ""
        raise RequestError(
            f"event {rejected[0].index}: {rejected[0].reason}", hint=f"{len(rejected)} of {n_rows} are bad.{beside}"
        )


def put_items(rows: Sequence[Row]) -> list[Call[int]]:
    """Return the calls that write items."""
    return [call for _, call in _blocks("items", check_rows(rows, "item_id"), "/v1/items", _version)]


def put_users(rows: Sequence[Row]) -> list[Call[int]]:
    """Return the calls that write people."""
    return [call for _, call in _blocks("users", check_rows(rows, "user_id"), "/v1/users", _version)]


def patch_item(item_id: str, changes: Row) -> Call[int]:
    """Return the call that changes an item."""
    return Call("PATCH", _item(item_id), _version, body=_row(changes))


def patch_user(user_id: str, changes: Row) -> Call[int]:
    """Return the call that changes a person."""
    return Call("PATCH", _user(user_id), _version, body=_row(changes))


def delete_item(item_id: str) -> Call[int]:
    """Return the call that deletes an item; a second one would say that there is none."""
    return Call("DELETE", _item(item_id), _version, repeatable=False)


def get_item(item_id: str) -> Call[dict[str, Any]]:
    """Return the call that reads an item."""
    return Call("GET", _item(item_id), _object)


def get_user(user_id: str) -> Call[dict[str, Any]]:
    """Return the call that reads a person."""
    return Call("GET", _user(user_id), _object)


def find_items(text: str, limit: int) -> Call[list[dict[str, Any]]]:
    """Return the call that searches items."""
    return Call("GET", "/v1/items", _field("items"), {"text": text, "limit": str(limit)})


def find_users(prefix: str, limit: int) -> Call[list[str]]:
    """Return the call that searches people."""
    return Call("GET", "/v1/users", _field("users"), {"prefix": prefix, "limit": str(limit)})


def history(user_id: str, limit: int) -> Call[list[dict[str, Any]]]:
    """Return the call for a person's events."""
    return Call("GET", f"{_user(user_id)}/history", _field("events"), {"limit": str(limit)})


def merge(user_id: str, session_id: str) -> Call[int]:
    """Return the call that gives a session to a person."""
    return Call("POST", f"{_user(user_id)}/merge", _version, body=_encode({"session_id": session_id}))


def user_profile(user_id: str, language: str) -> Call[dict[str, Any]]:
    """Return the call for a person's profile."""
    return Call("GET", f"{_user(user_id)}/profile", _object, {"language": language})


def item_profile(item_id: str, language: str) -> Call[dict[str, Any]]:
    """Return the call for an item's profile."""
    return Call("GET", f"{_item(item_id)}/profile", _object, {"language": language})


def patch_user_profile(user_id: str, changes: Row) -> Call[int]:
    """Return the call that changes a person's profile."""
    return Call("PATCH", f"{_user(user_id)}/profile", _version, body=_row(changes))


def patch_item_profile(item_id: str, changes: Row) -> Call[int]:
    """Return the call that changes an item's profile."""
    return Call("PATCH", f"{_item(item_id)}/profile", _version, body=_row(changes))


def onboarding(answers: Sequence[int], language: str) -> Call[Onboarded]:
    """Return the call for the next question to a new person."""
    body = _encode({"answers": list(answers), "language": language})
    return Call("POST", "/v1/onboarding", _reader(Onboarded), body=body)


def reading() -> Call[ReadingStatus]:
    """Return the call that tells how far the reader is."""
    return Call("GET", "/v1/reading", _reader(ReadingStatus))


def read_all(timeout_s: float) -> Call[bool]:
    """Return the call that waits for the reader."""
    wait_s = min(max(timeout_s, 0.0), MOST_WAIT_S)
    return Call("GET", "/v1/reading", _field("done"), {"wait": str(wait_s)}, wait_s=wait_s)


def explain(user_id: str, item_id: str) -> Call[dict[str, Any]]:
    """Return the call that explains an item's place."""
    return Call("GET", f"{_user(user_id)}/explain/{_id(item_id)}", _object)


def erase(user_id: str) -> Call[Receipt]:
    """Return the call that forgets a person; only the first receipt tells what was removed."""
    return Call("DELETE", _user(user_id), _reader(Receipt), repeatable=False)


def about() -> Call[dict[str, Any]]:
    """Return the call that tells what is served."""
    return Call("GET", "/v1/about", _object)


def version() -> Call[int]:
    """Return the call for the newest version."""
    return Call("GET", "/healthz", _version)


def _blocks(name: str, rows: Sequence[Any], path: str, read: Callable[[bytes], T]) -> Iterator[tuple[int, Call[T]]]:
    """Yield bulk calls of a size that a server takes, with their number of rows; an empty batch is one call."""
    waiting: list[bytes] = []
    size = 0
    for row in rows:
        encoded = _encode(row)
        if waiting and (len(waiting) == MOST_ROWS or size + len(encoded) > MOST_BYTES):
            yield len(waiting), Call("POST", path, read, body=_bulk(name, waiting))
            waiting, size = [], 0
        waiting.append(encoded)
        size += len(encoded) + 1
    if waiting or not rows:
        yield len(waiting), Call("POST", path, read, body=_bulk(name, waiting))


def _bulk(name: str, rows: Sequence[bytes]) -> bytes:
    return b'{"' + name.encode() + b'":[' + b",".join(rows) + b"]}"


def _as_given(row: dict[str, Any], given: Row) -> dict[str, Any]:
    """Return a checked event with its time as it was given: what now is, the server knows."""
    timed = {**row, "timestamp": given.get("timestamp")}
    return timed if timed["timestamp"] is not None else {k: v for k, v in row.items() if k != "timestamp"}


def _row(changes: Row) -> bytes:
    try:
        return _encode(dict(changes))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RequestError(f"row 0: it cannot be sent: {error}.", hint="Rows hold text, numbers and lists.") from error


def _id(one: str) -> str:
    if not one:
        raise RequestError("The id is empty.", hint="Give the id of an item or of a person.")
    quoted = quote(one, safe="")
    return quoted.replace(".", "%2E") if not one.strip(".") else quoted  # a path of dots would be walked


def _item(item_id: str) -> str:
    return f"/v1/items/{_id(item_id)}"


def _user(user_id: str) -> str:
    return f"/v1/users/{_id(user_id)}"


class _Versioned(msgspec.Struct):
    version: int


class _Taken(msgspec.Struct):
    accepted: int
    rejected: tuple[Rejected, ...]
    version: int


_LIST = msgspec.json.Decoder(Recommendation)
_VERSION = msgspec.json.Decoder(_Versioned)
_TAKEN = msgspec.json.Decoder(_Taken)


def _list(raw: bytes) -> Recommendation:
    return _LIST.decode(raw)


def _version(raw: bytes) -> int:
    return _VERSION.decode(raw).version


def _accepted(raw: bytes) -> Accepted:
    taken = _TAKEN.decode(raw)
    return Accepted(taken.version, taken.accepted, taken.rejected)


def _object(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    return found


def _field(name: str) -> Callable[[bytes], Any]:
    return lambda raw: _object(raw)[name]


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    return lambda raw: msgspec.json.decode(raw, type=kind)
