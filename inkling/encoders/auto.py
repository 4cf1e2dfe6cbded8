"""The router: each text goes to the first encoder that can read it, and all of them stay comparable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import ConfigError
from inkling.encoders._text import readable
from inkling.encoders.base import Encoder, Reader
from inkling.encoders.hashing import HashingEncoder
from inkling.encoders.sentence import SentenceEncoder


class AutoEncoder:
    """Two parts behind each other: what ``reader`` understood, and the characters as ``spelling`` sees them.

    A text that the reader can read (its share of unknown tokens is at most ``max_unknown``) is ``sqrt(1 - s)`` reading
    and ``sqrt(s)`` spelling; any other text is spelling alone. Hence the inner product of two read texts is
    ``(1 - s) cos(reading) + s cos(spelling)``, of two unread ones ``cos(spelling)``, and of one of each
    ``sqrt(s) cos(spelling)``: a name inside a Chinese sentence still finds the English title that spells it.
    """

    name = "auto"

    def __init__(
        self,
        reader: Reader | None = None,
        spelling: Encoder | None = None,
        *,
        spelling_share: float = 0.15,
        max_unknown: float = 0.4,
    ) -> None:
        """Put two encoders together; without them, ``sentence`` and ``hashing``.

        Args:
            reader: Reads the texts whose tokens it knows.
            spelling: Reads every text.
            spelling_share: The part of a read text's likeness that spelling keeps, above 0 and below 1.
            max_unknown: The share of unknown tokens up to which a text counts as readable, 0 to 1 (1 excluded).

        Raises:
            ConfigError: A share is out of range.
        """
        if not 0 < spelling_share < 1:
            raise ConfigError(f"auto: spelling_share is {spelling_share}, expected above 0 and below 1.")
        if not 0 <= max_unknown < 1:
            raise ConfigError(f"auto: max_unknown is {max_unknown}, expected 0 to below 1.")
        self.reader = reader if reader is not None else SentenceEncoder()
        self.spelling = spelling if spelling is not None else HashingEncoder()
        self.spelling_share, self.max_unknown = spelling_share, max_unknown
        self.dim = self.reader.dim + self.spelling.dim

    @property
    def fingerprint(self) -> str:
        """Return both parts' fingerprints and the settings."""
        settings = f"{self.spelling_share:g}:{self.max_unknown:g}"
        return f"auto:1:{settings}[{self.reader.fingerprint}][{self.spelling.fingerprint}]"

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without letters, digits or symbols.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A shipped file was altered.
        """
        clean = readable(texts)
        out = np.zeros((len(clean), self.dim), np.float32)
        out[:, self.reader.dim :] = self.spelling.encode(clean)
        rows = np.flatnonzero(self.reader.unknown_share(clean) <= self.max_unknown)
        read = self.reader.encode([clean[row] for row in rows.tolist()])
        out[rows, : self.reader.dim] = read * np.float32(np.sqrt(1 - self.spelling_share))
        out[rows, self.reader.dim :] *= np.float32(np.sqrt(self.spelling_share))
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)
