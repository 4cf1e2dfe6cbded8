"""How often answers were followed by something, by arm and by bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from inkling.feedback.join import Joined, Shown


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

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str], Counted] = {}
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

    def of_bundle(self, bundle: str) -> tuple[int, float]:
        """Return how many answers a bundle gave, over all arms, and the share of them that anything followed."""
        with self._lock:
            mine = [counted for (_, name), counted in self._counted.items() if name == bundle]
        answers = sum(counted.answers for counted in mine)
        return answers, sum(counted.clicked for counted in mine) / max(answers, 1)


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
