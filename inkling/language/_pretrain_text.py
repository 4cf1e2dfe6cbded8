"""What is read: distinct texts, which of them are held out, sentences that follow each other, what is hidden."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from inkling.core.arrays import I64, Bool
from inkling.core.errors import DataError

IGNORED = -100
_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_HIDDEN, _REPLACED = 0.8, 0.9


@dataclass(frozen=True)
class Corpus:
    """Distinct texts in two parts that share none."""

    train: tuple[str, ...]
    held: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Return 16 letters for the texts, in their order."""
        lines = "\0".join([*self.train, "", *self.held])
        return hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()[:16]


def corpus_of(texts: Iterable[str], holdout: float) -> Corpus:
    """Return the distinct texts, parted by the hash of what each says: the same text is always on the same side.

    Raises:
        DataError: There are fewer than two texts.
    """
    clean = (text.encode("utf-8", "replace").decode().strip() for text in texts)
    distinct = [text for text in dict.fromkeys(clean) if text]
    if len(distinct) < 2:
        raise DataError(
            f"There are {len(distinct)} different texts, expected at least 2.", hint="Pretraining needs many."
        )
    places = {text: _place(text) for text in distinct}
    held = {text for text in distinct if places[text] < holdout} or {min(distinct, key=places.__getitem__)}
    if len(held) == len(distinct):
        held.discard(max(distinct, key=places.__getitem__))
    return Corpus(tuple(t for t in distinct if t not in held), tuple(t for t in distinct if t in held))


def _place(text: str) -> float:
    """Return a number from 0 to 1 that only the text decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def sentences(text: str) -> list[str]:
    """Return a text's sentences, English or Chinese, in their order."""
    return [part.strip() for part in _ENDS.split(text) if part.strip()]


def followers(texts: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return each sentence with the one that follows it in the same text, and that text's number."""
    found = []
    for at, text in enumerate(texts):
        parts = sentences(text)
        found += [(first, second, at) for first, second in pairwise(parts)]
    return found


def paired(found: Sequence[tuple[str, str, int]], rng: np.random.Generator) -> list[tuple[str, str, int]]:
    """Return pairs with 1 where the second follows the first, and 0 where it comes from another text: half each."""
    out = []
    for first, second, text in found:
        true = bool(rng.random() < 0.5)
        other = second if true else _stranger(found, (text, second), rng)
        out.append((first, other, int(true)) if other is not None else (first, second, 1))
    return out


def _stranger(found: Sequence[tuple[str, str, int]], real: tuple[int, str], rng: np.random.Generator) -> str | None:
    """Return a sentence of another text that says something else, or None after sixteen draws without one."""
    draws: list[int] = rng.integers(len(found), size=16).tolist()
    for at in draws:
        _, other, text = found[at]
        if text != real[0] and other != real[1]:
            return other
    return None


@dataclass(frozen=True)
class Hiding:
    """How words are hidden (Devlin et al. 2019).

    Attributes:
        share: Of the tokens that may be hidden.
        mask_id: What stands in their place, eight times of ten.
        others: Tokens that stand there once in ten; the tenth time it stays.
    """

    share: float
    mask_id: int
    others: I64


def hide(ids: I64, may: Bool, words: I64 | None, how: Hiding, rng: np.random.Generator) -> tuple[I64, I64]:
    """Return what is read and what is to be told, both (N, T); ``IGNORED`` where nothing is asked.

    Args:
        ids: Tokens, (N, T).
        may: Which of them may be hidden: real ones that are no marks.
        words: Number of each token's word, to hide whole words; None hides tokens.
        how: How.
        rng: Randomness.
    """
    chosen = rng.random(ids.shape) < how.share
    if words is not None:
        rows = np.arange(len(ids))[:, None]
        chosen = chosen[rows, np.maximum(words, 0)]  # a word goes as the draw at the place of its number says
    chosen &= may
    if not chosen.any() and may.any():
        places = np.argwhere(may)
        chosen[tuple(places[rng.integers(len(places))])] = True
    fate = rng.random(ids.shape)
    read = np.where(chosen & (fate < _HIDDEN), how.mask_id, ids)
    swapped = chosen & (fate >= _HIDDEN) & (fate < _REPLACED)
    read = np.where(swapped, rng.choice(how.others, size=ids.shape), read)
    return read.astype(np.int64), np.where(chosen, ids, IGNORED).astype(np.int64)
