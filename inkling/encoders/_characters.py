"""Texts as one long array of characters, and the n-grams and words in it, without a Python loop over characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inkling.core.arrays import F32, I64, Bool

U64 = NDArray[np.uint64]
_BASE = np.uint64(0x9E3779B97F4A7C15)
_IDEOGRAPHS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer: no spaces either
    *((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF)),  # Chinese, Japanese, Korean
)
_MAX_WORD = 64
LAST_LATIN = 0x24F


@dataclass(frozen=True)
class Features:
    """Features of many texts, one entry for each occurrence.

    Attributes:
        rows: Which text.
        hashes: Which feature.
        weights: How much one occurrence counts.
    """

    rows: I64
    hashes: U64
    weights: F32


@dataclass(frozen=True)
class Characters:
    """Normalised code points of many texts, a zero behind each text and for everything that is no word character."""

    codes: U64
    rows: I64
    ideograph: Bool

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """Normalise (NFKC, case folded) and join the texts."""
        folded = [t.lower() if t.isascii() else unicodedata.normalize("NFKC", t).casefold() for t in texts]
        joined = "\0".join([*folded, ""])
        points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
        kind = _kinds()[np.minimum(points, 0x10000)]
        rows = np.repeat(np.arange(len(folded)), [len(t) + 1 for t in folded])
        return cls(np.where(kind > 0, points, 0).astype(np.uint64), rows, kind == 2)

    def ngrams(self, sizes: Sequence[int], weights: dict[int, float], ideograph_weights: dict[int, float]) -> Features:
        """Return the runs of each size that stay inside a word; weight 0 leaves a size out."""
        parts: list[tuple[I64, U64, F32]] = []
        hashes, inside, ideograph = self.codes.copy(), self.codes > 0, self.ideograph
        for size in range(1, max(sizes) + 1):
            if size > 1:
                n = len(hashes) - 1
                hashes = hashes[:n] * _BASE + self.codes[size - 1 :]
                inside = inside[:n] & (self.codes[size - 1 :] > 0)
                ideograph = ideograph[:n] | self.ideograph[size - 1 :]
            weight = np.where(ideograph, ideograph_weights.get(size, 0.0), weights.get(size, 0.0)).astype(np.float32)
            at = np.flatnonzero(inside & (weight > 0))
            parts.append((self.rows[at], mix(hashes[at] + np.uint64(size)), weight[at]))
        return _joined(parts)

    def words(self, weight: float) -> Features:
        """Return whole words of scripts that put spaces between them."""
        inside = self.codes > 0
        starts = np.flatnonzero(inside & ~np.r_[False, inside[:-1]])
        if not len(starts):
            return Features(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.float32))
        begin = np.zeros(len(inside), np.int64)
        begin[starts] = starts
        place = np.minimum(np.arange(len(inside)) - np.maximum.accumulate(begin), _MAX_WORD)
        hashes = np.add.reduceat(self.codes * _powers()[place], starts)
        spaced = ~np.logical_or.reduceat(self.ideograph, starts)
        weights = np.full(int(spaced.sum()), weight, np.float32)
        return Features(self.rows[starts[spaced]], mix(hashes[spaced]), weights)


def _joined(parts: Sequence[tuple[I64, U64, F32]]) -> Features:
    rows, hashes, weights = zip(*parts, strict=True)
    return Features(np.concatenate(rows), np.concatenate(hashes), np.concatenate(weights))


def join(parts: Sequence[Features]) -> Features:
    """Return all features behind each other."""
    return _joined([(p.rows, p.hashes, p.weights) for p in parts])


def mix(x: U64) -> U64:
    """Spread nearby numbers over all bits (splitmix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@lru_cache(maxsize=1)
def _powers() -> U64:
    return np.cumprod(np.full(_MAX_WORD + 1, np.uint64(0xD6E8FEB86659FD93)), dtype=np.uint64)


@lru_cache(maxsize=1)
def _kinds() -> NDArray[np.uint8]:
    """Return 0 for what parts words, 1 for letters and digits, 2 for ideographs and symbols that stand alone."""
    kinds = np.zeros(0x10001, np.uint8)
    for point in range(0x10000):
        category = unicodedata.category(chr(point))
        kinds[point] = 1 if category[0] in "LMN" else 2 if category == "So" else 0
    for first, last in _IDEOGRAPHS:
        kinds[first : last + 1] *= 2
    kinds[0x10000] = 2
    return np.minimum(kinds, 2)


def beyond_latin(text: str) -> bool:
    """Return whether a text holds a letter that is not Latin."""
    return not text.isascii() and any(ord(c) > LAST_LATIN and unicodedata.category(c)[0] in "LM" for c in text)
