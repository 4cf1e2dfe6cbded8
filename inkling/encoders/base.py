"""What an encoder is: texts in, rows of length one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, runtime_checkable

from inkling.core.arrays import F32, Array
from inkling.core.run import Run


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors whose inner product is their likeness.

    Attributes:
        name: The registered name, which is the file's name.
        dim: Length of a vector.
    """

    name: str
    dim: int

    @property
    def fingerprint(self) -> str:
        """Return what decides the vectors (method, settings, weights): caches and bundles are named by it."""
        ...

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return one row for each text, of length one; a text with nothing to read gives zeros.

        A row depends on its own text alone: the same in any batch, in any process.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
        """
        ...


@runtime_checkable
class Reader(Encoder, Protocol):
    """An encoder with a vocabulary, which can tell how much of a text it knows."""

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens that the weights never learned; 1 for a text without tokens."""
        ...


@runtime_checkable
class Trainable(Encoder, Protocol):
    """An encoder that learns from the user's own texts, without labels.

    ``fit`` returns self, and moves the fingerprint where it changes a vector. ``state`` and ``load_state`` are plain
    arrays: what a bundle keeps; an empty state is what was never fitted.
    """

    def fit(self, texts: Sequence[str], run: Run) -> Self: ...
    def state(self) -> Mapping[str, Array]: ...
    def load_state(self, state: Mapping[str, Array]) -> Self: ...
