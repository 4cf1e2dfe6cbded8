"""English as if it were written in ideographs: each word becomes two of them, and can be turned back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"\w+")
_FIRST = 0x4E00
_SIDE = 4001  # so many ideographs are used; a prime, as real texts share characters between words
_STEP = 6_700_417


class Mapped:
    """A pair of ideographs for each word of some texts; words share characters, as in Chinese, but no pair.

    Case is lost, and white space goes: the result is one run of characters between marks.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Give each word of ``texts`` a pair, by its place in the alphabet."""
        words = sorted({word for text in texts for word in _WORD.findall(text.lower())})
        self._pairs = {word: _pair(row) for row, word in enumerate(words)}
        self._words = {pair: word for word, pair in self._pairs.items()}

    def text(self, text: str) -> str:
        """Return a text in ideographs; its words must have been among those at the start."""
        mapped = _WORD.sub(lambda found: self._pairs[found.group()], text.lower())
        return re.sub(r"\s+", "", mapped)

    def words(self, mapped: str) -> list[str]:
        """Return the words that a mapped text was made of, in order."""
        runs = _WORD.findall(mapped)
        return [self._words[run[at : at + 2]] for run in runs for at in range(0, len(run), 2)]

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Return many texts in ideographs."""
        return [self.text(text) for text in texts]


def _pair(row: int) -> str:
    first, second = divmod((row * _STEP + 1) % (_SIDE * _SIDE), _SIDE)
    return chr(_FIRST + first) + chr(_FIRST + second)
