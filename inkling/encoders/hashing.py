"""Words and character n-grams, hashed: no weights, any language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import ConfigError
from inkling.encoders._characters import Characters, Features, join, mix
from inkling.encoders._text import readable

_VERSION = 1
_CHUNK = 2048
_WORD = 2.0
_SPACED = {2: 0.25, 3: 0.5, 4: 1.0}
_IDEOGRAPH = {1: 0.5, 2: 2.0, 3: 1.0, 4: 0.5}


class HashingEncoder:
    """Signed feature hashing (Weinberger et al. 2009) of words and of character n-grams of 2 to 4.

    Scripts without spaces (Chinese, Japanese, Thai, ...) have no words here: single characters and, foremost, pairs
    stand in for them. Occurrences count sublinearly (1 + ln tf). Reads the first 8,192 characters. Equal in every
    process and on every machine.
    """

    name = "hashing"

    def __init__(self, dim: int = 512) -> None:
        """Hash into ``dim`` columns.

        Raises:
            ConfigError: ``dim`` is below 16.
        """
        if dim < 16:
            raise ConfigError(f"hashing: dim is {dim}, expected at least 16.")
        self.dim = dim

    @property
    def fingerprint(self) -> str:
        """Return the method's version and width."""
        return f"hashing:{_VERSION}:{self.dim}"

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without letters, digits or symbols.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
        """
        clean = readable(texts)
        out = np.zeros((len(clean), self.dim), np.float32)
        for start in range(0, len(clean), _CHUNK):
            part = clean[start : start + _CHUNK]
            out[start : start + len(part)] = self._encode(part)
        return out

    def _encode(self, texts: list[str]) -> F32:
        characters = Characters.of(texts)
        found = join([characters.ngrams((1, 2, 3, 4), _SPACED, _IDEOGRAPH), characters.words(_WORD)])
        counted = _counted(found)
        columns = (counted.hashes % np.uint64(self.dim)).astype(np.int64)
        signs = np.where(counted.hashes >> np.uint64(63), 1.0, -1.0)
        cells = counted.rows * self.dim + columns
        sums = np.bincount(cells, signs * counted.weights, len(texts) * self.dim).reshape(len(texts), self.dim)
        lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
        return np.asarray(sums / np.where(lengths > 0, lengths, 1.0), np.float32)


def _counted(features: Features) -> Features:
    """Merge a text's equal features: a feature seen tf times weighs 1 + ln tf times its own weight."""
    keys = mix(features.hashes + features.rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    _, first, tf = np.unique(keys, return_index=True, return_counts=True)
    weights = (features.weights[first] * (1.0 + np.log(tf))).astype(np.float32)
    return Features(features.rows[first], features.hashes[first], weights)
