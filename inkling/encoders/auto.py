"""The router: each text goes to the first encoder that can read it, and all of them stay comparable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np

from inkling.core.arrays import F32, I64, Array
from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.encoders._characters import beyond_latin
from inkling.encoders._text import readable
from inkling.encoders.base import Encoder, Reader
from inkling.encoders.corpus import CorpusEncoder
from inkling.encoders.hashing import HashingEncoder
from inkling.encoders.sentence import SentenceEncoder

_LEAST_TEXTS = 16
Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


class AutoEncoder:
    """Parts behind each other: what ``reader`` understood, the characters as ``spelling`` sees them, the own table.

    A text that the reader can read (its share of unknown tokens is at most ``max_unknown``) is ``sqrt(1 - s)`` reading
    and ``sqrt(s)`` spelling; any other text is spelling alone. Hence the inner product of two read texts is
    ``(1 - s) cos(reading) + s cos(spelling)``, of two unread ones ``cos(spelling)``, and of one of each
    ``sqrt(s) cos(spelling)``: a name inside a Chinese sentence still finds the English title that spells it.

    ``fit`` looks at a catalogue. Where it holds texts that the reader cannot read, a table is learned from them (see
    ``corpus``), and from then on a text that cannot be read, old or new, is ``sqrt(1 - u)`` table and ``sqrt(u)``
    spelling (``u`` is ``table_spelling``). A catalogue in Latin letters learns no table, and its vectors do not move.
    """

    name = "auto"

    def __init__(
        self,
        reader: Reader | None = None,
        spelling: Encoder | None = None,
        *,
        spelling_share: float = 0.15,
        table_spelling: float = 0.6,
        max_unknown: float = 0.4,
        n_threads: int = 1,
        progress: Progress = _ignore,
    ) -> None:
        """Put two encoders together; without them, ``sentence`` and ``hashing``.

        Args:
            reader: Reads the texts whose tokens it knows.
            spelling: Reads every text.
            spelling_share: The part of a read text's likeness that spelling keeps, above 0 and below 1.
            table_spelling: The same of a text that the own table reads.
            max_unknown: The share of unknown tokens up to which a text counts as readable, 0 to 1 (1 excluded).
            n_threads: Threads of the reader, where none is given.
            progress: What that reader calls as ``progress(n_done, n_texts)``.

        Raises:
            ConfigError: A share is out of range.
        """
        for name, share in (("spelling_share", spelling_share), ("table_spelling", table_spelling)):
            if not 0 < share < 1:
                raise ConfigError(f"auto: {name} is {share}, expected above 0 and below 1.")
        if not 0 <= max_unknown < 1:
            raise ConfigError(f"auto: max_unknown is {max_unknown}, expected 0 to below 1.")
        self.reader = reader if reader is not None else SentenceEncoder(n_threads=n_threads, progress=progress)
        self.spelling = spelling if spelling is not None else HashingEncoder()
        self.spelling_share, self.table_spelling, self.max_unknown = spelling_share, table_spelling, max_unknown
        self.table: CorpusEncoder | None = None

    @property
    def dim(self) -> int:
        """Return the length of a vector: the parts together."""
        return self.reader.dim + self.spelling.dim + (self.table.dim if self.table else 0)

    @property
    def fingerprint(self) -> str:
        """Return the parts' fingerprints and the settings."""
        settings = f"{self.spelling_share:g}:{self.max_unknown:g}"
        plain = f"auto:1:{settings}[{self.reader.fingerprint}][{self.spelling.fingerprint}]"
        return f"{plain}[{self.table_spelling:g}:{self.table.fingerprint}]" if self.table else plain

    def fit(self, texts: Sequence[str], run: Run) -> Self:
        """Learn a table from the texts that the reader cannot read; without enough of them, none."""
        self.table = None
        foreign = [text for text in dict.fromkeys(readable(texts)) if beyond_latin(text)]
        unread = [foreign[row] for row in self._unread(foreign).tolist()]
        if len(unread) >= _LEAST_TEXTS:
            try:
                self.table = CorpusEncoder().fit(unread, run)
            except DataError:  # no two of them have a word in common: there is nothing to learn, spelling stays
                self.table = None
        return self

    def state(self) -> Mapping[str, Array]:
        """Return the table, if there is one."""
        return self.table.state() if self.table else {}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self.table = CorpusEncoder().load_state(state) if state else None
        return self

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without letters, digits or symbols.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A shipped file was altered.
        """
        clean = readable(texts)
        out = np.zeros((len(clean), self.dim), np.float32)
        reading, spelling = self.reader.dim, self.spelling.dim
        out[:, reading : reading + spelling] = self.spelling.encode(clean)
        unread = self._unread(clean)
        rows = np.setdiff1d(np.arange(len(clean)), unread)
        read = self.reader.encode([clean[row] for row in rows.tolist()])
        out[rows, :reading] = read * np.float32(np.sqrt(1 - self.spelling_share))
        out[rows, reading:] *= np.float32(np.sqrt(self.spelling_share))
        self._look_up(clean, unread, out)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)

    def _unread(self, texts: Sequence[str]) -> I64:
        """Return which texts the reader cannot read."""
        return np.flatnonzero(self.reader.unknown_share(texts) > self.max_unknown)

    def _look_up(self, texts: Sequence[str], unread: I64, out: F32) -> None:
        """Write into ``out`` what the table says of texts that the reader could not read, where it says anything."""
        if self.table is None or not len(unread):
            return
        foreign = [texts[row] for row in unread.tolist()]
        known = self.table.unknown_share(foreign) < 1
        rows = unread[known]
        out[rows] *= np.float32(np.sqrt(self.table_spelling))
        found = self.table.encode([text for text, some in zip(foreign, known.tolist(), strict=True) if some])
        out[rows, -self.table.dim :] = found * np.float32(np.sqrt(1 - self.table_spelling))
