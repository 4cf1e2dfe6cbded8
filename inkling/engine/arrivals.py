"""The same event sent twice at once is stored once: the second waits until the first is in the log."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Arrivals:
    """Event ids that are on their way into the log."""

    def __init__(self) -> None:
        """Start with nothing on its way."""
        self._on_the_way: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def claim(self, event_ids: Sequence[str]) -> Iterator[None]:
        """Hold ``event_ids`` while inside; wait first until nobody else holds one of them."""
        ids = set(event_ids)
        with self._changed:
            self._changed.wait_for(lambda: self._on_the_way.isdisjoint(ids))
            self._on_the_way |= ids
        try:
            yield
        finally:
            with self._changed:
                self._on_the_way -= ids
                self._changed.notify_all()
