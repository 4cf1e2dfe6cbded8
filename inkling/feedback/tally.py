"""Joins and counts behind the log: what each arm and each bundle came to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from inkling.feedback.counts import Counts
from inkling.feedback.follow import Follower
from inkling.feedback.join import Joiner
from inkling.stores.base import Changes, Version


class Tally:
    """Counts from the log's beginning, in a thread of its own, which begins with the first answer that is logged."""

    def __init__(self, scan: Callable[[Version], Iterator[Changes]], positive: Collection[str]) -> None:
        """Read the log with ``scan``; ``positive`` events are conversions."""
        self.counts = Counts()
        self._joiner = Joiner(positive)
        self._follower = Follower(scan, self._take)
        self._started = False

    def put(self, block: Changes) -> None:
        """Hand over a block that was committed; costs nothing until answers are logged."""
        if self._started:
            self._follower.put(block)
        elif block.kind == "impressions":
            self.start(block.version)

    def start(self, version: Version) -> None:
        """Begin to count; the log reaches ``version`` already."""
        self._started = True
        self._follower.start(version)

    def _take(self, changes: Changes) -> None:
        for found in self._joiner.take(changes):
            self.counts.add(found)

    def wait(self, version: Version, timeout_s: float = 10.0) -> bool:
        """Wait until everything up to a version is counted; return whether it was so in time."""
        if not self._started:
            self.start(version)
        return self._follower.wait(version, timeout_s)

    def rows(self) -> list[dict[str, Any]]:
        """Return the counts and rates of each arm and bundle, as plain data."""
        return self.counts.rows()

    def stop(self) -> None:
        """End the thread."""
        if self._started:
            self._follower.stop()
