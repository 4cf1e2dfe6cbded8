"""The engine on another machine for programs that must not block: the same verbs, each awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Self, overload

from inkling.core.recommendation import Recommendation
from inkling.engine import _remote_calls as calls
from inkling.engine._remote_async_sending import AsyncSender
from inkling.engine._remote_retry import Patience
from inkling.engine.base import Accepted, Ask, Onboarded, ReadingStatus, Receipt, Row
from inkling.engine.questions import question_of


class AsyncEngine:
    """Recommends, learns and forgets, on a server; ``RemoteEngine`` with ``await``. It belongs to one event loop."""

    def __init__(self, url: str, *, key: str = "", patience: Patience | None = None, transport: Any = None) -> None:
        """Prepare to call the server at ``url``; nothing is sent yet. The arguments are those of ``RemoteEngine``."""
        self._sender = AsyncSender(url, key=key, patience=patience or Patience(), transport=transport)
        self.url = self._sender.url

    # -- asking ---------------------------------------------------------------------------------------------------

    @overload
    async def recommend(self, user_id: str | None = None, **ask: Any) -> Recommendation: ...
    @overload
    async def recommend(self, user_id: Sequence[str], **ask: Any) -> list[Recommendation]: ...
    async def recommend(
        self, user_id: str | Sequence[str] | None = None, **ask: Any
    ) -> Recommendation | list[Recommendation]:
        """Return a list for one person, or for each of many; see ``Ask`` for what may be asked."""
        if user_id is None or isinstance(user_id, str):
            return await self.ask(question_of(user_id, ask))
        return await self._sender.together([calls.ask(question_of(one, ask)) for one in user_id])

    async def ask(self, question: Ask) -> Recommendation:
        """Return the answer to one whole question."""
        return await self._sender.send(calls.ask(question))

    async def similar(self, item_id: str, *, k: int = 10) -> Recommendation:
        """Return the items most like one."""
        return await self._sender.send(calls.similar(item_id, k))

    async def score(self, user_id: str, item_ids: Sequence[str]) -> list[float]:
        """Return, for each item, the probability of the target event, or the rating."""
        return await self._sender.send(calls.score(user_id, item_ids))

    async def explain(self, user_id: str, item_id: str) -> dict[str, Any]:
        """Return why an item stands where it stands for a person."""
        return await self._sender.send(calls.explain(user_id, item_id))

    async def onboarding(self, answers: Sequence[int] = (), *, language: str = "en") -> Onboarded:
        """Return what to ask a new person after their ``answers``."""
        return await self._sender.send(calls.onboarding(answers, language))

    def watch(self, user_id: str, *, k: int = 10, last_id: str = "") -> AsyncIterator[Recommendation]:
        """Yield a person's list, and a new one whenever it changes, until the caller stops."""
        return self._sender.watch(user_id, k, last_id=last_id)

    # -- writing --------------------------------------------------------------------------------------------------

    async def observe(self, events: Sequence[Row]) -> int:
        """Take in events, all or none; return the version that reflects them."""
        batch = calls.events(events)
        calls.refuse(batch.refused, len(events))
        told = batch.joined([await self._sender.send(call) for call in batch.calls])
        calls.refuse(told.rejected, len(events), taken=told.accepted)
        return told.version

    async def ingest(self, events: Sequence[Row]) -> Accepted:
        """Take in the good events of a batch and tell of each bad one."""
        batch = calls.events(events)
        return batch.joined([await self._sender.send(call) for call in batch.calls])

    async def put_items(self, rows: Sequence[Row]) -> int:
        """Write whole items; return the version that reflects them. Large batches go in blocks."""
        return [await self._sender.send(call) for call in calls.put_items(rows)][-1]

    async def put_users(self, rows: Sequence[Row]) -> int:
        """Write what is known of people; return the version that reflects it. Large batches go in blocks."""
        return [await self._sender.send(call) for call in calls.put_users(rows)][-1]

    async def patch_item(self, item_id: str, changes: Row) -> int:
        """Change some attributes of an item; None removes one."""
        return await self._sender.send(calls.patch_item(item_id, changes))

    async def patch_user(self, user_id: str, changes: Row) -> int:
        """Change some of what is known of a person; None removes an attribute."""
        return await self._sender.send(calls.patch_user(user_id, changes))

    async def patch_item_profile(self, item_id: str, changes: Row) -> int:
        """Change fields of an item's profile; None takes one back."""
        return await self._sender.send(calls.patch_item_profile(item_id, changes))

    async def patch_user_profile(self, user_id: str, changes: Row) -> int:
        """Change fields of a person's profile; None takes one back."""
        return await self._sender.send(calls.patch_user_profile(user_id, changes))

    async def delete_item(self, item_id: str) -> int:
        """Take an item out of every answer."""
        return await self._sender.send(calls.delete_item(item_id))

    async def merge(self, user_id: str, session_id: str) -> int:
        """Give what an anonymous session did to a person."""
        return await self._sender.send(calls.merge(user_id, session_id))

    async def erase(self, user_id: str) -> Receipt:
        """Forget a person everywhere; return how many rows went from where."""
        return await self._sender.send(calls.erase(user_id))

    # -- looking --------------------------------------------------------------------------------------------------

    async def get_item(self, item_id: str) -> dict[str, Any]:
        """Return an item's attributes."""
        return await self._sender.send(calls.get_item(item_id))

    async def get_user(self, user_id: str) -> dict[str, Any]:
        """Return what is known of a person, and how many events they have."""
        return await self._sender.send(calls.get_user(user_id))

    async def find_items(self, text: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
        """Return items whose title or id contains ``text``."""
        return await self._sender.send(calls.find_items(text, limit))

    async def find_users(self, prefix: str = "", *, limit: int = 20) -> list[str]:
        """Return ids of people that start with ``prefix``."""
        return await self._sender.send(calls.find_users(prefix, limit))

    async def history(self, user_id: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return a person's last events, newest first."""
        return await self._sender.send(calls.history(user_id, limit))

    async def user_profile(self, user_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of a person as a record and in words."""
        return await self._sender.send(calls.user_profile(user_id, language))

    async def item_profile(self, item_id: str, *, language: str = "en") -> dict[str, Any]:
        """Return what is known of an item as a record and in words."""
        return await self._sender.send(calls.item_profile(item_id, language))

    async def reading(self) -> ReadingStatus:
        """Return how far the reading of items is."""
        return await self._sender.send(calls.reading())

    async def read_all(self, timeout_s: float = 60.0) -> bool:
        """Wait until every text that is written is read; return whether it was so in time."""
        return await self._sender.send(calls.read_all(timeout_s))

    async def about(self) -> dict[str, Any]:
        """Return what is served."""
        return await self._sender.send(calls.about())

    async def version(self) -> int:
        """Return the position in the log that the next answer reflects."""
        return await self._sender.send(calls.version())

    async def close(self) -> None:
        """Close the connections; the server goes on."""
        await self._sender.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


def connect_async(url: str, *, key: str = "", timeout_s: float = 10.0, retries: int = 3) -> AsyncEngine:
    """Return the engine that a server has, with verbs to await; the arguments are those of ``connect``.

    Raises:
        ConfigError: The address or the key is of no known form.
    """
    return AsyncEngine(url, key=key, patience=Patience(retries=retries, timeout_s=timeout_s))
