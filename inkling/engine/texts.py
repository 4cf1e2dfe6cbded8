"""One reader of texts for a whole pipeline: each text is read once, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.encoders import ENCODERS

_LIMIT = 500_000


class TextReader:
    """An encoder by name, opened when first needed, that remembers what it read."""

    def __init__(self, name: str) -> None:
        """Name the encoder."""
        self.name = name
        self._encoder: Any = None
        self._known: dict[str, F32] = {}

    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return int(self._open().dim)

    def _open(self) -> Any:
        if self._encoder is None:
            self._encoder = ENCODERS.get(self.name)()
        return self._encoder

    def encode(self, texts: Sequence[str]) -> F32:
        """Return vectors (N, dim), of length one or zero."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            if len(self._known) + len(new) > _LIMIT:
                self._known.clear()
                new = list(dict.fromkeys(texts))
            vectors = self._open().encode(new)
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else np.empty((0, self.dim), dtype=np.float32)
