"""How often answers were followed by something, by arm and by bundle."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from inkling.feedback.join import Joined, Shown

LATEST = 1000
"""Answers of a bundle that its live quality is told from."""


@dataclass(slots=True)
class Counted:
    """What came of the answers of one arm and bundle."""

    answers: int = 0
    items: int = 0
    clicked: int = 0
    """Answers that anything followed."""
    converted: int = 0
    """Answers that a positive event followed."""
    outcomes: int = 0
    """Everything that followed, several for an answer included."""


class Counts:
    """Counts by arm and bundle. One thread writes while others read. Answers that an override dealt are left out."""

    def __init__(self, *, latest: int = LATEST) -> None:
        self._counted: dict[tuple[str, str], Counted] = {}
        self._latest: dict[str, deque[Shown]] = {}
        self._most = latest
        self._lock = Lock()
        self.by_id = self.by_item = 0

    def add(self, found: Shown | Joined) -> None:
        """Count an answer, or an outcome that was joined to one."""
        shown = found.shown if isinstance(found, Joined) else found
        if shown.overridden:
            return
        with self._lock:
            counted = self._counted.setdefault((shown.arm, shown.bundle), Counted())
            if isinstance(found, Joined):
                self._count(counted, found)
            else:
                counted.answers += 1
                counted.items += len(shown.item_ids)
                self._latest.setdefault(shown.bundle, deque(maxlen=self._most)).append(shown)

    def _count(self, counted: Counted, found: Joined) -> None:
        counted.outcomes += 1
        counted.clicked += found.first
        counted.converted += found.converts
        if found.by == "id":
            self.by_id += 1
        else:
            self.by_item += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return the counts and rates of each arm and bundle, as plain data."""
        with self._lock:
            found = [(key, replace(self._counted[key])) for key in sorted(self._counted)]
        return [{"arm": arm, "bundle": bundle, **_told(counted)} for (arm, bundle), counted in found]

    def latest(self, bundle: str) -> tuple[int, float, float]:
        """Return how many of a bundle's latest answers are looked at, and the shares clicked and converted of them."""
        with self._lock:
            shown = list(self._latest.get(bundle, ()))
        n = len(shown)
        if not n:
            return 0, 0.0, 0.0
        return n, sum(one.clicked for one in shown) / n, sum(one.converted for one in shown) / n


def _told(counted: Counted) -> dict[str, Any]:
    answers = max(counted.answers, 1)
    return {
        "answers": counted.answers,
        "items": counted.items,
        "clicked": counted.clicked,
        "converted": counted.converted,
        "outcomes": counted.outcomes,
        "click_rate": round(counted.clicked / answers, 6),
        "conversion": round(counted.converted / answers, 6),
    }
