"""Group commit: what several threads bring at once is written in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from inkling.stores.base import Version
from inkling.stores.blocks import Packed


class Ticket:
    """What one caller brought, and what became of it."""

    __slots__ = ("blocks", "done", "error", "version")

    def __init__(self, blocks: Sequence[Packed]) -> None:
        self.blocks = blocks
        self.version: Version = 0
        self.error: BaseException | None = None
        self.done = False


class GroupCommit:
    """Leader and followers: whoever gets the lock first writes for all who wait, who then find their work done.

    ``write`` puts all tickets into one durable transaction and sets their ``version``.
    """

    def __init__(self, write: Callable[[Sequence[Ticket]], None]) -> None:
        self._write = write
        self._waiting: deque[Ticket] = deque()
        self.lock = Lock()
        """Held while a transaction is being written."""

    def submit(self, blocks: Sequence[Packed]) -> Version:
        """Write ``blocks`` whole or not at all; return their version once they are durable."""
        ticket = Ticket(blocks)
        self._waiting.append(ticket)
        with self.lock:
            if not ticket.done:
                self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.version

    def _lead(self) -> None:
        tickets = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            self._write(tickets)
        except BaseException as error:
            for ticket in tickets:
                ticket.error = error
        finally:
            for ticket in tickets:
                ticket.done = True
