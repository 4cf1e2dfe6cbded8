"""The last answers and what they answered: a view of the impressions in the log, for questions that follow one up."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import msgspec

from inkling.core.errors import NotFoundError
from inkling.stores.base import Changes

_LOG = logging.getLogger("inkling")
MOST = 10_000


class Limit(msgspec.Struct, frozen=True):
    """Only items whose field compares so with a value; ``field`` is an attribute, ``created_at`` or ``popularity``."""

    field: str
    op: str
    """lt, lte, gt, gte or ne."""
    value: float | str


class Chain(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a talk asked for so far: it is kept with each answer, so that the next question can go on from there."""

    text: str = ""
    limits: tuple[Limit, ...] = ()
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    filter: dict[str, Any] | None = None
    history: tuple[str, ...] | None = None
    candidates: tuple[str, ...] | None = None


class Given(msgspec.Struct, frozen=True):
    """An answer that was given: the items in their order, to whom, and what was asked."""

    item_ids: tuple[str, ...]
    who: dict[str, str]
    chain: Chain = Chain()


class Answers:
    """The newest answers by id. Any thread may write while others read."""

    def __init__(self, most: int = MOST) -> None:
        """Keep ``most`` answers."""
        self._most = most
        self._given: OrderedDict[str, Given] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._given)

    def apply(self, changes: Changes) -> None:
        """Take in a block of the log."""
        if changes.kind == "impressions":
            for row in changes.rows:
                self._take(row)

    def _take(self, row: Mapping[str, Any]) -> None:
        who = {name: str(row[name]) for name in ("user_id", "session_id") if row.get(name)}
        try:
            chain = msgspec.convert(row.get("asked") or {}, Chain)
        except msgspec.ValidationError as error:
            _LOG.warning("An impression's question cannot be read: %s", error)
            chain = Chain()
        self.put(str(row["recommendation_id"]), Given(tuple(row["item_ids"]), who, chain))

    def put(self, answer_id: str, given: Given) -> None:
        """Keep an answer; the oldest leaves where there is no room."""
        with self._lock:
            self._given[answer_id] = given
            while len(self._given) > self._most:
                self._given.popitem(last=False)

    def get(self, answer_id: str) -> Given:
        """Return an answer.

        Raises:
            NotFoundError: It was never given, or is too long ago.
        """
        given = self._given.get(answer_id)
        if given is None:
            raise NotFoundError(
                f"There is no answer '{answer_id[:80]}' to follow up.",
                hint=f"Give the recommendation_id of one of the last {self._most} answers.",
            )
        return given

    def forget(self, user_id: str, row_of: Callable[[str | None, str | None], int]) -> None:
        """Drop a person's answers, those of sessions that became theirs included."""
        row = row_of(user_id, None)
        with self._lock:
            for answer_id, given in list(self._given.items()):
                own = given.who.get("user_id")
                if own == user_id or (not own and row >= 0 and row_of(None, given.who.get("session_id")) == row):
                    del self._given[answer_id]
