"""One reader of texts for a whole pipeline: each text is read once, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inkling.core.arrays import F32
from inkling.core.run import Run
from inkling.encoders import ENCODERS
from inkling.encoders.cache import CachedEncoder


class TextReader:
    """An encoder by name, opened when first needed, behind a cache by content hash (no text is kept)."""

    def __init__(self, name: str) -> None:
        """Name the encoder."""
        self.name = name
        self._run = Run()
        self._encoder: CachedEncoder | None = None

    def use(self, run: Run) -> None:
        """Take the threads and the progress of a run for what is read from now on, if nothing was read yet."""
        self._run = run

    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return self._open().dim

    def _open(self) -> CachedEncoder:
        if self._encoder is None:
            self._encoder = CachedEncoder(self._made())
        return self._encoder

    def _made(self) -> Any:
        kind = ENCODERS.get(self.name)
        if self.name not in ("auto", "sentence"):
            return kind()
        sentence = ENCODERS.get("sentence")(
            n_threads=self._run.n_threads, progress=lambda done, total: self._run.progress("reading texts", done, total)
        )
        return sentence if self.name == "sentence" else kind(sentence)

    def encode(self, texts: Sequence[str]) -> F32:
        """Return vectors (N, dim), of length one or zero."""
        return self._open().encode(texts)
