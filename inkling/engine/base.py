"""The contract of an engine: the same verbs in memory, on disk and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, overload, runtime_checkable

import msgspec

from inkling.core.recommendation import Recommendation

Row = Mapping[str, Any]


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that one question may say; the body of ``POST /v1/recommend``."""

    user_id: str | None = None
    session_id: str | None = None
    k: int = 10
    text: str | None = None
    history: tuple[str, ...] | None = None
    """Item ids, oldest first, instead of what is stored of the person."""
    candidates: tuple[str, ...] | None = None
    """Only these items may be answered."""
    exclude: tuple[str, ...] = ()
    filter: dict[str, Any] | None = None
    """``{"all": [{"field", "op", "value"}]}`` or ``{"any": [...]}``; applied before the top k."""
    context: dict[str, str] = {}
    budget_ms: float | None = None
    """Milliseconds for the answer; what finds no time in it, such as a cross encoder, is named in ``left_out``."""
    min_version: int | None = None
    cursor: str | None = None
    """Of an answer to the same question: goes on after what was shown, at its version or a newer one."""
    after: str | None = None
    """``recommendation_id`` of an answer that ``text`` follows up: cheaper, more like the second, not horror."""
    explain: bool = False
    language: str = ""
    """Language of the reasons: en or zh; empty is the person's own, as far as it is known."""


class Accepted(msgspec.Struct, frozen=True):
    """What became of a batch of events."""

    version: int
    accepted: int
    rejected: tuple[Rejected, ...] = ()


class Rejected(msgspec.Struct, frozen=True):
    """A row that was not taken, with its position in the batch and the reason."""

    index: int
    reason: str


class Receipt(msgspec.Struct, frozen=True):
    """Proof of an erasure: how many rows went from where."""

    user_id: str
    version: int
    removed: dict[str, int]
    """Place (log, state, users, cache, vectors, impressions) -> how many rows were removed."""


class ReadingStatus(msgspec.Struct, frozen=True):
    """How far the reader is."""

    waiting: int = 0
    """Texts that are written and not yet read."""
    queued: int = 0
    """How many of them are in the bounded queue; the others are marked and picked up later."""
    read: int = 0
    """Texts read since the start."""
    failed: int = 0
    """Texts that could not be read in several tries; they are tried again from time to time, and when they change."""
    per_second: float = 0.0
    """Texts read in a second of reading."""
    lag_s: float = 0.0
    """Age in seconds of the oldest text that waits."""


class AskedOption(msgspec.Struct, frozen=True):
    """One answer that a new person can give."""

    label: str
    item_ids: tuple[str, ...]


class Asked(msgspec.Struct, frozen=True):
    """A question to a new person; the answer is an option's position from 0, or -1."""

    text: str
    options: tuple[AskedOption, ...]
    none: str
    """How the answer -1 is put."""
    source: str = "rules"
    """``model`` where a generative model put it into words."""


class Onboarded(msgspec.Struct, frozen=True):
    """What comes after some answers."""

    question: Asked | None
    """What to ask next; None where no further question tells much."""
    history: tuple[str, ...]
    """The items of the answers so far: give them to ``recommend`` as ``history``, or observe them."""


@runtime_checkable
class Engine(Protocol):
    """Recommends, learns and forgets. Ids are the caller's own throughout; one id or many through the same verb."""

    @overload
    def recommend(self, user_id: str | None = None, **ask: Any) -> Recommendation: ...
    @overload
    def recommend(self, user_id: Sequence[str], **ask: Any) -> list[Recommendation]: ...
    def ask(self, question: Ask) -> Recommendation: ...
    def similar(self, item_id: str, *, k: int = 10) -> Recommendation: ...
    def score(self, user_id: str, item_ids: Sequence[str]) -> list[float]: ...
    def observe(self, events: Sequence[Row]) -> int: ...
    def ingest(self, events: Sequence[Row]) -> Accepted: ...
    def put_items(self, rows: Sequence[Row]) -> int: ...
    def put_users(self, rows: Sequence[Row]) -> int: ...
    def patch_item(self, item_id: str, changes: Row) -> int: ...
    def patch_user(self, user_id: str, changes: Row) -> int: ...
    def delete_item(self, item_id: str) -> int: ...
    def get_item(self, item_id: str) -> dict[str, Any]: ...
    def get_user(self, user_id: str) -> dict[str, Any]: ...
    def find_items(self, text: str = "", *, limit: int = 20) -> list[dict[str, Any]]: ...
    def find_users(self, prefix: str = "", *, limit: int = 20) -> list[str]: ...
    def history(self, user_id: str, *, limit: int = 50) -> list[dict[str, Any]]: ...
    def merge(self, user_id: str, session_id: str) -> int: ...
    def user_profile(self, user_id: str, *, language: str = "en") -> dict[str, Any]: ...
    def item_profile(self, item_id: str, *, language: str = "en") -> dict[str, Any]: ...
    def patch_user_profile(self, user_id: str, changes: Row) -> int: ...
    def patch_item_profile(self, item_id: str, changes: Row) -> int: ...
    def onboarding(self, answers: Sequence[int] = (), *, language: str = "en") -> Onboarded: ...
    def reading(self) -> ReadingStatus: ...
    def read_all(self, timeout_s: float = 60.0) -> bool: ...
    def explain(self, user_id: str, item_id: str) -> dict[str, Any]: ...
    def erase(self, user_id: str) -> Receipt: ...
    def about(self) -> dict[str, Any]: ...
    @property
    def version(self) -> int: ...
    def close(self) -> None: ...
