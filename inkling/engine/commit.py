"""Durable first, then visible: changes are applied to the views in the order of the log, whoever wrote them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from inkling.core.errors import VersionError
from inkling.stores.base import ChangeLog, Changes, Version

_LOG = logging.getLogger("inkling")


class Committer:
    """Appends to the log and applies to the views, in one order.

    Several threads may commit at once: the log may fold their appends into one durable write. A commit returns when
    its own change, and everything before it, is visible.
    """

    def __init__(self, log: ChangeLog, apply: Callable[[Changes], None]) -> None:
        """Apply what the log holds by way of ``apply``, starting after the log's version 0."""
        self.log = log
        self._apply = apply
        self._pending: dict[Version, Changes] = {}
        self._turn = threading.Condition()
        self.version: Version = 0

    def replay(self) -> None:
        """Apply everything that the log holds and the views do not yet reflect."""
        with self._turn:
            for block in self.log.scan(since=self.version):
                self._reflect(block)

    def _reflect(self, block: Changes) -> None:
        """Apply a block and move on: what a view chokes on is in the log for good and must not stop the rest."""
        try:
            self._apply(block)
        except Exception:
            _LOG.exception("A block of kind %s could not be applied in full; version %d.", block.kind, block.version)
        self.version = block.version

    def commit(self, changes: Changes) -> Version:
        """Append durably, apply in order, and return the version that reflects the change."""
        if not changes.rows:
            return self.version
        version = self.log.append(changes)
        with self._turn:
            self._pending[version - len(changes.rows)] = Changes(changes.kind, changes.rows, version, changes.ts)
            self._drain()
            self._turn.notify_all()
            while self.version < version:
                if not self._turn.wait(timeout=1.0):
                    self._from_log()
        return version

    def _drain(self) -> None:
        while (block := self._pending.pop(self.version, None)) is not None:
            self._reflect(block)

    def _from_log(self) -> None:
        """Read from the log what another process wrote in between."""
        for block in self.log.scan(since=self.version):
            self._pending.pop(block.version - len(block.rows), None)
            self._reflect(block)

    def reach(self, version: Version) -> None:
        """Catch up to ``version``.

        Raises:
            VersionError: It was never issued.
        """
        if version <= self.version:
            return
        with self._turn:
            self._from_log()
        if version > self.version:
            raise VersionError(
                f"Version {version} was never issued; the newest is {self.version}.",
                hint="Pass a version that a write to this store answered with.",
            )
