"""What a text says about an aspect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mention:
    """One aspect in a text.

    Attributes:
        begin: First character.
        end: The character behind the last.
        term: The words themselves.
        sentiment: -1, 0 or 1.
        confidence: How sure the reader is, 0 to 1.
        aspect: Name of the aspect, where the reader knows it; the term stands for itself otherwise.
    """

    begin: int
    end: int
    term: str
    sentiment: int
    confidence: float = 1.0
    aspect: str = ""
