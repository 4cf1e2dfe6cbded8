"""What travels over the wire besides ``Ask`` and ``Recommendation``, which are the engine's own."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=10_000)]
Length = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, extra_json_schema={"minimum": 1, "maximum": 1000})]
"""Of a list; its bounds are the engine's own, which refuses with its own words."""
Id = Annotated[str, Meta(min_length=1, max_length=512)]
Attribute = str | Whole | float | bool | list[str | float | bool] | None
Row = dict[str, Attribute]
_NAMED = {"type": "string", "minLength": 1}
ItemRow = Annotated[Row, Meta(extra_json_schema={"properties": {"item_id": _NAMED}, "required": ["item_id"]})]
UserRow = Annotated[Row, Meta(extra_json_schema={"properties": {"user_id": _NAMED}, "required": ["user_id"]})]


ASK_FIELDS = {
    "user_id": "A person.",
    "session_id": "An anonymous visit.",
    "k": "How many items.",
    "text": "A sentence, read by the language model.",
    "history": "Item ids, oldest first, instead of what is stored.",
    "candidates": "Only these items may be answered.",
    "exclude": "None of these items.",
    "filter": '{"all": [{"field", "op", "value"}]} or {"any": [...]}; op: eq ne in lt lte gt gte contains.',
    "context": "What is known of the moment, such as the country.",
    "budget_ms": "Milliseconds for the answer; what finds no time is named in left_out.",
    "min_version": "The answer must reflect this version.",
    "cursor": "Of an answer to the same question: goes on after what was shown.",
    "after": "recommendation_id of an answer that text follows up: cheaper, more like the second, not horror.",
    "explain": "Reasons with the signed share of each signal.",
    "language": "Of the reasons: en or zh; empty: context.language, Accept-Language, the person's own.",
}
"""What the fields of a question mean, for the documentation."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what comes in: unknown fields are an error."""


class EventIn(Wire, frozen=True, kw_only=True):
    """One event: who (a person or a session), what (an item), which event, and when."""

    user_id: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    item_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    timestamp: Annotated[
        Whole | float | str | UnsetType, Meta(description="Epoch seconds, milliseconds, or ISO 8601; default: now.")
    ] = UNSET
    value: float | UnsetType | None = UNSET
    text: str | UnsetType = UNSET
    event_id: Annotated[str | UnsetType, Meta(description="Makes a retry harmless.")] = UNSET
    context: dict[str, str] | UnsetType = UNSET
    recommendation_id: Annotated[str | UnsetType, Meta(description="The answer that led to this event.")] = UNSET


class EventsIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/events``."""

    events: list[EventIn]


class EventRows(Wire, frozen=True, kw_only=True):
    """The same with rows as they come: the engine checks each one, so that a bad row does not stop the others."""

    events: list[Any]


class RejectedOut(msgspec.Struct, frozen=True):
    """A row that was not taken."""

    index: int
    reason: str


class EventsOut(msgspec.Struct, frozen=True):
    """What became of a batch of events; sent once the accepted ones are durable."""

    accepted: int
    rejected: list[RejectedOut]
    version: int


class ItemsIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/items``: rows with an ``item_id`` and any attributes."""

    items: list[ItemRow]


class UsersIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/users``: rows with a ``user_id`` and any attributes."""

    users: list[UserRow]


class MergeIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/users/{id}/merge``."""

    session_id: Id


class ScoreIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/score``."""

    user_id: Id
    items: Annotated[list[str], Meta(max_length=10_000)]


class ScoreOut(msgspec.Struct, frozen=True):
    """One score for each item asked for, in that order."""

    scores: list[float]


class OnboardingIn(Wire, frozen=True, kw_only=True):
    """Body of ``POST /v1/onboarding``."""

    answers: Annotated[
        list[Annotated[int, Meta(ge=-1, le=100)]],
        Meta(max_length=10, description="To the questions so far: positions of options, -1 for none of them."),
    ] = []
    language: Annotated[str, Meta(max_length=64, description="en or zh; empty: Accept-Language.")] = ""


class VersionOut(msgspec.Struct, frozen=True):
    """The version that holds a write."""

    version: int


class WrittenOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """The version that holds a write; with ``wait``, whether the texts of all items were read in that time."""

    version: int
    read: bool | None = None


class WaitQuery(Wire, frozen=True, kw_only=True):
    """How many seconds to wait until what is written is read by the language model; 0 does not wait."""

    wait: Annotated[float, Meta(ge=0, le=600)] = 0.0


class ErasedOut(msgspec.Struct, frozen=True):
    """Proof of an erasure: place -> how many rows were removed."""

    user_id: str
    version: int
    removed: dict[str, int]


class ItemsOut(msgspec.Struct, frozen=True):
    """Catalogue rows."""

    items: list[dict[str, Any]]


class UsersOut(msgspec.Struct, frozen=True):
    """People's ids."""

    users: list[str]


class HistoryOut(msgspec.Struct, frozen=True):
    """A person's events, newest first."""

    user_id: str
    events: list[dict[str, Any]]


class StatusOut(msgspec.Struct, frozen=True):
    """Whether the server is alive, or ready, and at which version."""

    status: str
    version: int


class ReadingOut(msgspec.Struct, frozen=True):
    """How far the language model is with reading what was written, and whether it is done."""

    done: bool
    waiting: int
    queued: int
    read: int
    failed: int
    per_second: float
    lag_s: float


class NoQuery(Wire, frozen=True, kw_only=True):
    """No query parameters."""


class ListQuery(Wire, frozen=True, kw_only=True):
    """How many answers, whether with contributions, and in which language the reasons are."""

    k: Length = 10
    explain: bool = False
    language: str = ""


class SimilarQuery(Wire, frozen=True, kw_only=True):
    """How many answers."""

    k: Length = 10


class FindItemsQuery(Wire, frozen=True, kw_only=True):
    """Search by text, or read several items at once by repeating ``id``."""

    text: str = ""
    id: list[str] = []
    limit: Count = 20


class FindUsersQuery(Wire, frozen=True, kw_only=True):
    """Search by the beginning of an id."""

    prefix: str = ""
    limit: Count = 20


class ProfileQuery(Wire, frozen=True, kw_only=True):
    """In which language the profile's words are."""

    language: str = "en"


class LimitQuery(Wire, frozen=True, kw_only=True):
    """How many rows at most."""

    limit: Count = 50
