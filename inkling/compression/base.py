"""What compressing is: steps that each make a model smaller, judged by a callable that somebody above brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from inkling.encoders.base import Encoder

Measure = Callable[[Encoder], float]
"""Encoder -> quality, the more the better; built from the protocol by whoever asks for compression."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done to a model, and what was left of it.

    Attributes:
        method: How it became smaller, such as ``int8``, ``pruned`` or ``student``.
        settings: What the method was told.
        parameters: Numbers that were left in the model.
        bytes: Its size on disk.
        quality: What the measure said of it; None where nobody measured.
        note: What else is worth knowing.
    """

    method: str
    settings: dict[str, Any]
    parameters: int
    bytes: int
    quality: float | None
    note: str = ""
