"""Words of a script without spaces by counting alone: the same texts give the same words, on any machine.

A run of characters is a word where it comes often, where its parts come together far more often than by chance, and
where much may stand before and behind it (branching entropy; Harris 1955, Jin and Tanaka-Ishii 2006).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inkling.core.arrays import F64, I64, Bool

_LEAST, _COHESION, _FREEDOM = 3, 1.5, 0.5  # occurrences; nats that parts hold together; nats of what stands around
_MOST_SIGNS = 32_000  # four signs have to fit into 63 bits; rarer ones are no part of a word


def cohesive(runs: Sequence[str], max_words: int, max_letters: int) -> dict[str, float]:
    """Return words and the natural logarithms of their chances; each single character is among them.

    Args:
        runs: Characters without spaces; the order does not matter.
        max_words: How many words of two characters and more are kept, the most frequent.
        max_letters: Characters of the longest word; beyond 4 is not looked.
    """
    signs, codes = _coded(runs)
    singles = np.bincount(codes[codes > 0], minlength=len(signs) + 1)[1:]
    total = max(int(singles.sum()), 1)
    counts = [singles[np.maximum(codes - 1, 0)].astype(np.int64)]
    found: list[tuple[int, str]] = []
    for n in range(2, min(max_letters, 4) + 1):
        grams = _Grams.of(codes, n, len(signs) + 1)
        counts.append(grams.at)
        firm = grams.firm(counts, total, codes)
        for gram in np.flatnonzero(firm).tolist():
            at = int(grams.first[gram])
            found.append((int(grams.n[gram]), "".join(signs[code - 1] for code in codes[at : at + n].tolist())))
    found.sort(key=lambda one: (-one[0], one[1]))
    words = {word: float(np.log(n / total)) for n, word in found[:max_words]}
    letters = sorted({letter for run in runs for letter in run})
    spot = {sign: at for at, sign in enumerate(signs)}
    chances = {one: float(np.log(max(int(singles[spot[one]]) if one in spot else 1, 1) / total)) for one in letters}
    return {**chances, **words}


def _coded(runs: Sequence[str]) -> tuple[list[str], I64]:
    """Return the distinct characters, and the runs as codes from 1, each run between zeros."""
    points = np.array([ord(letter) for letter in "\n".join(["", *sorted(runs), ""])], np.int64)
    kinds, places, n = np.unique(points, return_inverse=True, return_counts=True)
    order = np.argsort(-np.where(kinds == ord("\n"), 0, n), kind="stable")
    kept = [at for at in order.tolist() if kinds[at] != ord("\n")][:_MOST_SIGNS]
    code = np.zeros(len(kinds), np.int64)
    code[kept] = np.arange(1, len(kept) + 1)
    return [chr(kinds[at]) for at in kept], code[places]


class _Grams:
    """All runs of n characters: where each begins first, how often it comes, and the same at every position."""

    def __init__(self, n: I64, first: I64, at: I64, own: I64, spots: I64, size: int) -> None:
        self.n, self.first, self.at, self._own, self._spots, self._size = n, first, at, own, spots, size

    @classmethod
    def of(cls, codes: I64, n: int, width: int) -> _Grams:
        spots = np.arange(max(len(codes) - n + 1, 0))
        key, whole = np.zeros(len(spots), np.int64), np.ones(len(spots), np.bool_)
        for offset in range(n):
            part = codes[spots + offset]
            key, whole = key * width + part, whole & (part > 0)
        spots = spots[whole]
        _, first, own, counts = np.unique(key[whole], return_index=True, return_inverse=True, return_counts=True)
        at = np.zeros(len(codes), np.int64)
        at[spots] = counts[own]
        return cls(counts, spots[first] if len(spots) else spots, at, own, spots, n)

    def firm(self, counts: Sequence[I64], total: int, codes: I64) -> Bool:
        """Return which are words."""
        often = self.n >= _LEAST
        held = np.full(len(self.n), np.inf)
        for left in range(1, self._size):
            a, b = counts[left - 1][self.first], counts[self._size - left - 1][self.first + left]
            held = np.minimum(held, np.log(np.maximum(self.n, 1) * total / np.maximum(a * b, 1)))
        free = np.minimum(self._freedom(codes, -1), self._freedom(codes, self._size))
        firm: Bool = often & (held >= _COHESION) & (free >= _FREEDOM)
        return firm

    def _freedom(self, codes: I64, offset: int) -> F64:
        """Return the entropy (G,) in nats of what stands at an offset; the end of a run is something new each time."""
        beside = codes[self._spots + offset]
        width = int(codes.max(initial=0)) + 1
        pairs, n = np.unique(self._own[beside > 0] * width + beside[beside > 0], return_counts=True)
        whole = self.n[pairs // width]
        found = np.bincount(pairs // width, weights=-(n / whole) * np.log(n / whole), minlength=len(self.n))
        ends = np.bincount(self._own[beside == 0], minlength=len(self.n))
        entropy: F64 = found + ends / self.n * np.log(self.n)
        return entropy
