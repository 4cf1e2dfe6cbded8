"""Durable first, then visible: changes are applied to the views in the order of the log, whoever wrote them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inkling.core.errors import VersionError
from inkling.stores.base import ChangeLog, Changes, Version

_LOG = logging.getLogger("inkling")
_PATIENCE_S = 0.005  # what came before is mostly on its way in another thread; else another process wrote it


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
        self._followers: tuple[Callable[[Changes], None], ...] = ()
        self.version: Version = 0

    def attach(self, follow: Callable[[Changes], None], catch_up: Callable[[], object]) -> None:
        """Hand every further block to ``follow`` too, in the log's order, after ``catch_up`` took what came before."""
        with self._turn:
            catch_up()
            self._followers = (*self._followers, follow)

    def detach(self, follow: Callable[[Changes], None]) -> None:
        """Hand no further block to ``follow``."""
        with self._turn:
            self._followers = tuple(one for one in self._followers if one != follow)

    def follow(self, block: Changes) -> None:
        """Take in a block that another one committed; what is missing before it is read from the log."""
        with self._turn:
            if block.version <= self.version:
                return
            if block.version - len(block.rows) == self.version:
                self._pending.pop(self.version, None)
                self._reflect(block)
            else:
                self._from_log()
            self._drain()
            self._turn.notify_all()

    def replay(self) -> None:
        """Apply everything that the log holds by now and the views do not yet reflect.

        It ends where the log ended when it began: who writes without pause must not keep it busy for ever.
        """
        with self._turn:
            until = self.log.version
            for block in self.log.scan(since=self.version):
                self._reflect(block)
                if self.version >= until:
                    break

    def _reflect(self, block: Changes) -> None:
        """Apply a block and move on: what a view chokes on is in the log for good and must not stop the rest."""
        try:
            self._apply(block)
        except Exception:
            _LOG.exception("A block of kind %s could not be applied in full; version %d.", block.kind, block.version)
        self.version = block.version
        for follow in self._followers:
            try:
                follow(block)
            except Exception:
                _LOG.exception("A follower could not take in a block of kind %s.", block.kind)

    @contextmanager
    def still(self) -> Iterator[Version]:
        """Let nothing move while inside; give the version that everything reflects."""
        with self._turn:
            yield self.version

    def commit(self, changes: Changes) -> Version:
        """Append durably, apply in order, and return the version that reflects the change."""
        if not changes.rows:
            return self.version
        version = self.log.append(changes)
        with self._turn:
            if version > self.version:
                self._pending[version - len(changes.rows)] = Changes(changes.kind, changes.rows, version, changes.ts)
                self._drain()
                self._turn.notify_all()
            while self.version < version:
                if not self._turn.wait(timeout=_PATIENCE_S):
                    self._from_log()
        return version

    def _drain(self) -> None:
        while (block := self._pending.pop(self.version, None)) is not None:
            self._reflect(block)

    def _from_log(self) -> None:
        """Read from the log what another process wrote in between."""
        until = self.log.version
        for block in self.log.scan(since=self.version):
            self._pending.pop(block.version - len(block.rows), None)
            self._reflect(block)
            if self.version >= until:
                break

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
