"""An engine on another machine: the same verbs, over HTTP. ``inkling.open("http://host:port")`` makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self, overload

from inkling.core.recommendation import Recommendation
from inkling.engine import _remote_calls as calls
from inkling.engine._remote_async import AsyncEngine, connect_async
from inkling.engine._remote_retry import Patience
from inkling.engine._remote_sending import Sender
from inkling.engine.base import Accepted, Ask, Onboarded, ReadingStatus, Receipt, Row
from inkling.engine.questions import question_of

__all__ = ["AsyncEngine", "Patience", "RemoteEngine", "connect", "connect_async"]


class RemoteEngine:
    """Recommends, learns and forgets, on a server. Any number of threads may share one.

    Connections are pooled and kept. A call is sent again, after a pause, where that can do no harm: events carry an
    ``event_id`` from the start. What the server refuses is raised as an engine on this machine raises it.
    """

    def __init__(self, url: str, *, key: str = "", patience: Patience | None = None, transport: Any = None) -> None:
        """Prepare to call the server at ``url``; nothing is sent yet.

        Args:
            url: ``http://host:port`` or ``https://host``, with a prefix where a proxy wants one.
            key: What the server knows callers by; ``INKLING_KEY`` where it is left out.
            patience: Time limits and retries.
            transport: Instead of the network, for tests.
        """
        self._sender = Sender(url, key=key, patience=patience or Patience(), transport=transport)
        self.url = self._sender.url

    # -- asking ---------------------------------------------------------------------------------------------------

    @overload
    def recommend(self, user_id: str | None = None, **ask: Any) -> Recommendation: ...
    @overload
    def recommend(self, user_id: Sequence[str], **ask: Any) -> list[Recommendation]: ...
    def recommend(
        self, user_id: str | Sequence[str] | None = None, **ask: Any
    ) -> Recommendation | list[Recommendation]:
        """Return a list for one person, or for each of many; see ``Ask`` for what may be asked."""
        if user_id is None or isinstance(user_id, str):
            return self.ask(question_of(user_id, ask))
        return self._sender.together([calls.ask(question_of(one, ask)) for one in user_id])

    def ask(self, question: Ask) -> Recommendation:
        """Return the answer to one whole question."""
        return self._sender.send(calls.ask(question))

    def similar(self, item_id: str, *, k: int = 10) -> Recommendation:
        """Return the items most like one."""
        return self._sender.send(calls.similar(item_id, k))

    def score(self, user_id: str, item_ids: Sequence[str]) -> list[float]:
        """Return, for each item, the probability of the target event, or the rating."""
        return self._sender.send(calls.score(user_id, item_ids))

    def explain(self, user_id: str, item_id: str) -> dict[str, Any]:
        """Return why an item stands where it stands for a person."""
        return self._sender.send(calls.explain(user_id, item_id))

    def onboarding(self, answers: Sequence[int] = (), *, language: str = "en") -> Onboarded:
        """Return what to ask a new person after their ``answers``."""
        return self._sender.send(calls.onboarding(answers, language))

    def watch(self, user_id: str, *, k: int = 10, last_id: str = "") -> Iterator[Recommendation]:
        """Yield a person's list, and a new one whenever it changes, until the caller stops.

        A connection that breaks is opened again, and goes on after the last list that came.
        """
        return self._sender.watch(user_id, k, last_id=last_id)

    # -- writing --------------------------------------------------------------------------------------------------

    def observe(self, events: Sequence[Row]) -> int:
        """Take in events, all or none; return the version that reflects them."""
        batch = calls.events(events)
        calls.refuse(batch.refused, len(events))
        told = batch.joined([self._sender.send(call) for call in batch.calls])
        calls.refuse(told.rejected, len(events), taken=told.accepted)
        return told.version

    def ingest(self, events: Sequence[Row]) -> Accepted:
        """Take in the good events of a batch and tell of each bad one."""
        batch = calls.events(events)
        return batch.joined([self._sender.send(call) for call in batch.calls])

    def put_items(self, rows: Sequence[Row]) -> int:
        """Write whole items; return the version that reflects them. Large batches go in blocks."""
        return [self._sender.send(call) for call in calls.put_items(rows)][-1]

    def put_users(self, rows: Sequence[Row]) -> int:
        """Write what is known of people; return the version that reflects it. Large batches go in blocks."""
        return [self._sender.send(call) for call in calls.put_users(rows)][-1]

    def patch_item(self, item_id: str, changes: Row) -> int:
        """Change some attributes of an item; None removes one."""
        return self._sender.send(calls.patch_item(item_id, changes))

    def patch_user(self, user_id: str, changes: Row) -> int:
        """Change some of what is known of a person; None removes an attribute."""
        return self._sender.send(calls.patch_user(user_id, changes))

    def patch_item_profile(self, item_id: str, changes: Row) -> int:
        """Change fields of an item's profile; None takes one back."""
        return self._sender.send(calls.patch_item_profile(item_id, changes))

    def patch_user_profile(self, user_id: str, changes: Row) -> int:
        """Change fields of a person's profile; None takes one back."""
        return self._sender.send(calls.patch_user_profile(user_id, changes))

    def delete_item(self, item_id: str) -> int:
        """Take an item out of every answer."""
        return self._sender.send(calls.delete_item(item_id))

    def merge(self, user_id: str, session_id: str) -> int:
        """Give what an anonymous session did to a person."""
        return self._sender.send(calls.merge(user_id, session_id))

    def erase(self, user_id: str) -> Receipt:
        """Forget a person everywhere; return how many rows went from where."""
        return self._sender.send(calls.erase(user_id))

    # -- looking --------------------------------------------------------------------------------------------------

    def get_item(self, item_id: str) -> dict[str, Any]:
        """Return an item's attributes."""
        return self._sender.send(calls.get_item(item_id))

    def get_user(self, user_id: str) -> dict[str, Any]:
        """Return what is known of a person, and how many events they have."""
        return self._sender.send(calls.get_user(user_id))

    def find_items(self, text: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
        """Return items whose title or id contains ``text``."""
        return self._sender.send(calls.find_items(text, limit))

    def find_users(self, prefix: str = "", *, limit: int = 20) -> list[str]:
        """Return ids of people that start with ``prefix``."""
        return self._sender.send(calls.find_users(prefix, limit))

    def history(self, user_id: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return a person's last events, newest first."""
        return self._sender.send(calls.history(user_id, limit))

    def user_profile(self, user_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of a person as a record and in words."""
        return self._sender.send(calls.user_profile(user_id, language))

    def item_profile(self, item_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of an item as a record and in words."""
        return self._sender.send(calls.item_profile(item_id, language))

    def reading(self) -> ReadingStatus:
        """Return how far the reading of items is."""
        return self._sender.send(calls.reading())

    def read_all(self, timeout_s: float = 60.0) -> bool:
        """Wait until every text that is written is read; return whether it was so in time."""
        return self._sender.send(calls.read_all(timeout_s))

    def about(self) -> dict[str, Any]:
        """Return what is served."""
        return self._sender.send(calls.about())

    @property
    def version(self) -> int:
        """Return the position in the log that the next answer reflects."""
        return self._sender.send(calls.version())

    def close(self) -> None:
        """Close the connections; the server goes on."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def connect(url: str, *, key: str = "", timeout_s: float = 10.0, retries: int = 3) -> RemoteEngine:
    """Return the engine that a server has.

    Args:
        url: ``http://host:port``.
        key: What the server knows callers by; the environment variable ``INKLING_KEY`` where it is left out.
        timeout_s: Seconds for one try of one call.
        retries: How often a call is sent again where that can do no harm.

    Raises:
        ConfigError: The address or the key is of no known form.
    """
    return RemoteEngine(url, key=key, patience=Patience(retries=retries, timeout_s=timeout_s))
