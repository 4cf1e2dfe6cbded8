"""One reader of texts: each text is read once in a process, whichever pipeline asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.core.run import Run
from inkling.encoders import ENCODERS
from inkling.encoders.cache import CachedEncoder

_AT_ONCE = 512
_ON_THREADS = frozenset({"auto", "sentence"})


class TextReader:
    """An encoder by name, opened when first needed, behind a cache by content hash (no text is kept).

    The encoder and its cache are shared by all readers of the process: several fits, as over the cuts of a comparison,
    read a catalogue once. Where the environment names a folder as ``INKLING_CACHE``, the vectors are kept there for the
    next process.
    """

    def __init__(self, name: str) -> None:
        """Name the encoder."""
        self.name = name
        self._run = Run()

    def use(self, run: Run) -> None:
        """Take the threads and the progress of a run for what is read from now on."""
        self._run = run

    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return self._open().dim

    def _open(self) -> CachedEncoder:
        return _shared(self.name, self._run.n_threads if self.name in _ON_THREADS else 1)

    def encode(self, texts: Sequence[str]) -> F32:
        """Return vectors (N, dim), of length one or zero; long work is told of as progress."""
        encoder = self._open()
        if len(texts) <= _AT_ONCE:
            return encoder.encode(texts)
        parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
        read = [encoder.encode(part) for part in self._run.track(parts, "reading texts", total=len(parts))]
        return np.concatenate(read)


@cache
def _shared(name: str, n_threads: int) -> CachedEncoder:
    """Return the process's encoder of a name. Reading has no state but the cache, so sharing it moves no answer."""
    kind: Any = ENCODERS.get(name)
    folder = os.environ.get("INKLING_CACHE")
    path = Path(folder) / f"vectors-{name}.sqlite" if folder else None
    if name not in _ON_THREADS:
        return CachedEncoder(kind(), path=path)
    sentence = ENCODERS.get("sentence")(n_threads=n_threads)
    return CachedEncoder(sentence if name == "sentence" else kind(sentence), path=path)
