"""What every generative model is to the rest: messages in, words out, or a failure that says whether to try again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said, and the tokens that it took; 0 where it does not tell."""

    text: str
    n_tokens: int = 0


class Failed(Exception):  # noqa: N818 - no error of the caller: the deterministic words are used
    """A model did not answer."""

    def __init__(self, why: str, *, again: bool, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.again, self.wait_s = again, wait_s


@runtime_checkable
class Speaker(Protocol):
    """A generative model. ``name`` tells it from others: what was kept of one is never another's."""

    name: str

    def say(self, messages: Sequence[Mapping[str, str]], *, most_tokens: int) -> Said: ...
