"""What an answer is."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an item is in an answer."""

    kind: str
    """Stable name: ``repeat``, ``because_item``, ``popular``, ``text``, ``follows``, ``rule``, ``explore``."""
    text: str
    """The reason in words, in the language asked for."""
    item_ids: tuple[str, ...] = ()
    """Items of the person's history that it rests on, strongest first."""
    contributions: dict[str, float] = {}
    """Signed share of each signal in the score."""


class RecommendedItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an answer."""

    item_id: str
    score: float
    source: str
    reason: Reason | None = None


class Recommendation(msgspec.Struct, frozen=True):
    """An answer for one person.

    ``version`` is the position in the change log that the answer reflects; ``timings_ms`` maps stages to milliseconds;
    ``left_out`` names what the time budget did not allow.
    """

    id: str = msgspec.field(name="recommendation_id")
    items: tuple[RecommendedItem, ...] = ()
    version: int = 0
    bundle: str = ""
    arm: str = ""
    timings_ms: dict[str, float] = {}
    left_out: tuple[str, ...] = ()
    cursor: str | None = None
    understood: tuple[str, ...] = ()
    """Of a follow-up: what the talk asks for so far, in words."""

    @property
    def item_ids(self) -> list[str]:
        """Return the item ids, best first."""
        return [item.item_id for item in self.items]
