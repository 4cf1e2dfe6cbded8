"""Who pushes lists needs to hear whose list may have changed, and to look at a list before anybody is shown it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

from inkling.core.recommendation import Recommendation
from inkling.core.scenario import Scenario
from inkling.engine.answers import Chain
from inkling.engine.base import Ask
from inkling.engine.bundle import Bundle
from inkling.engine.commit import Committer
from inkling.engine.fitting import Fitting
from inkling.stores.base import Changes

_OF_ITEMS = frozenset({"items", "patch_items", "delete_items", "bundle", "experiments"})
_OF_PEOPLE = frozenset({"events", "users", "patch_users", "merge", "erase"})
_held: ContextVar[dict[str, Callable[[], None]] | None] = ContextVar("held", default=None)


@dataclass(frozen=True, slots=True)
class Moved:
    """Whose list may have changed: ids that are known inside, or None for everybody; and when (``perf_counter``)."""

    at: float
    people: frozenset[str] | None = None


Follow: TypeAlias = Callable[[Moved], None]


@dataclass(frozen=True, slots=True)
class Preview:
    """An answer that nobody saw yet; ``shown`` logs it as an impression."""

    answer: Recommendation
    shown: Callable[[], None]


@runtime_checkable
class Pushes(Protocol):
    """An engine that tells whose list may have changed."""

    def follow(self, heard: Follow) -> Callable[[], None]:
        """Tell ``heard``, on the thread that writes, so it must be quick; return what ends it."""

    def known_as(self, user_id: str) -> str:
        """Return the id under which a person is known inside."""

    def preview(self, questions: Sequence[Ask]) -> list[Preview]:
        """Answer questions without logging."""


class Feed:
    """Tells followers of each block of the log, whichever bundle is being served."""

    def __init__(self, owner: Callable[[dict[str, Any]], str]) -> None:
        """Take what finds whose a row is."""
        self._owner = owner
        self._heard: tuple[Follow, ...] = ()
        self._lock = threading.Lock()
        self._source: Committer | None = None

    def attach(self, source: Committer) -> None:
        """Follow another committer from now on; a swap changes everybody's list."""
        before, self._source = self._source, source
        source.attach(self._take, lambda: None)
        if before is not None:
            before.detach(self._take)
            self._tell(Moved(time.perf_counter()))

    def follow(self, heard: Follow) -> Callable[[], None]:
        """Tell ``heard`` of everything from now on; return what ends it."""
        with self._lock:
            self._heard = (*self._heard, heard)
        return partial(self._leave, heard)

    def _leave(self, heard: Follow) -> None:
        with self._lock:
            self._heard = tuple(one for one in self._heard if one is not heard)

    def _take(self, changes: Changes) -> None:
        if not self._heard:
            return
        if changes.kind in _OF_ITEMS:
            self._tell(Moved(time.perf_counter()))
        elif changes.kind in _OF_PEOPLE:
            people = frozenset(filter(None, map(self._owner, changes.rows)))
            self._tell(Moved(time.perf_counter(), people))

    def _tell(self, moved: Moved) -> None:
        for heard in self._heard:
            heard(moved)


class Pushing(Fitting):
    """Tells whose list may have changed, and previews lists."""

    _feed: Feed

    def _start(self, bundle: Bundle | None, scenario: Scenario) -> None:
        super()._start(bundle, scenario)
        self._feed.attach(self._serving.commits)

    def follow(self, heard: Follow) -> Callable[[], None]:
        """Tell ``heard`` whose list may have changed, on the thread that writes; return what ends it."""
        return self._feed.follow(heard)

    def known_as(self, user_id: str) -> str:
        """Return the id under which a person is known inside, such as a pseudonym."""
        return self._door.user_id(user_id)

    def preview(self, questions: Sequence[Ask]) -> list[Preview]:
        """Answer questions without logging; ``shown`` of an answer logs it once somebody sees it."""
        held: dict[str, Callable[[], None]] = {}
        token = _held.set(held)
        try:
            answers = self._paged(list(questions))
        finally:
            _held.reset(token)
        return [Preview(answer, held[answer.id]) for answer in answers]

    def _note(self, question: Ask, answer: Recommendation, chain: Chain, now_ms: int, *dealt: Any) -> None:
        if (held := _held.get()) is not None:
            held[answer.id] = partial(self._note, question, answer, chain, now_ms, *dealt)
            return
        super()._note(question, answer, chain, now_ms, *dealt)

    def _owner_of(self, row: dict[str, Any]) -> str:
        """Return the id of the person whose a row is; empty where it is nobody's."""
        if row.get("user_id"):
            return str(row["user_id"])
        views = self._serving.views
        known = views.state.row_of(None, row.get("session_id"))
        return views.user_ids.id_of(known) if known >= 0 else ""
