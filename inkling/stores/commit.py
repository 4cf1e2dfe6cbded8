"""Group commit: what several threads bring at once is written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from inkling.stores.base import Version
from inkling.stores.blocks import Packed


class Ticket:
    """What one caller brought, and what became of it."""

    __slots__ = ("blocks", "done", "error", "version", "wake")

    def __init__(self, blocks: Sequence[Packed]) -> None:
        self.blocks = blocks
        self.version: Version = 0
        self.error: BaseException | None = None
        self.done = False
        self.wake = Lock()
        self.wake.acquire()


class GroupCommit:
    """A leader writes for all who wait; they sleep until it is done, and the first of those who came since leads next.

    ``write`` puts all tickets into one durable transaction and sets their ``version``.
    """

    def __init__(self, write: Callable[[Sequence[Ticket]], None]) -> None:
        self._write = write
        self._queue = Lock()
        self._waiting: list[Ticket] = []
        self._led = False
        self.lock = Lock()
        """Held while a transaction is being written."""

    def submit(self, blocks: Sequence[Packed]) -> Version:
        """Write ``blocks`` whole or not at all; return their version once they are durable."""
        ticket = Ticket(blocks)
        with self._queue:
            self._waiting.append(ticket)
            lead, self._led = not self._led, True
        if not lead:
            ticket.wake.acquire()
        if not ticket.done:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.version

    def _lead(self) -> None:
        with self.lock:
            with self._queue:
                tickets, self._waiting = self._waiting, []
            try:
                self._write(tickets)
            except BaseException as error:
                for ticket in tickets:
                    ticket.error = error
        with self._queue:
            heir = self._waiting[0] if self._waiting else None
            self._led = heir is not None
        for ticket in tickets:
            ticket.done = True
            ticket.wake.release()
        if heir is not None:
            heir.wake.release()
