"""The shipped tokenizer, and which of its tokens MiniLM learned to read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.arrays import F32, I64, Bool
from inkling.encoders._characters import LAST_LATIN
from inkling.encoders._shipped import read_checked, shipped

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Tokens:
    """Words and pieces of words as numbers; the library behind it is loaded when it is first used."""

    def __init__(self, max_tokens: int) -> None:
        """Read at most ``max_tokens`` tokens of a text, special ones included."""
        self.max_tokens = max_tokens

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        content = read_checked(shipped("minilm"), "tokenizer.json")
        tokenizer = Tokenizer.from_str(content.decode())
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    def ids(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return token ids of each text, with or without the marks for beginning and end."""
        if len(texts) == 1:  # the batch call wakes a pool of threads, which costs more than one text
            return [self._tokenizer.encode(texts[0], add_special_tokens=special).ids]
        found: list[Any] = self._tokenizer.encode_batch(list(texts), add_special_tokens=special)
        return [encoding.ids for encoding in found]

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of unlearned tokens; 1 for a text without tokens."""
        return unknown_shares(self.ids(texts, special=False), self.learned)

    @cached_property
    def learned(self) -> Bool:
        """Return for each token whether the model learned what it means: Latin letters, digits, marks.

        Besides [UNK] the vocabulary holds single letters of other scripts, which English training text hardly shows.
        """
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        known = np.zeros(max(vocabulary.values()) + 1, np.bool_)
        for token, row in vocabulary.items():
            known[row] = all(_latin(c) for c in token.removeprefix("##"))
        known[[vocabulary["[UNK]"], vocabulary["[PAD]"]]] = False
        return known


def unknown_shares(ids: Sequence[Sequence[int]], learned: Bool) -> F32:  # (N,)
    """Return the share of each row's ids that are not ``learned``; 1 for an empty row."""
    flat, sizes = flatten(ids)
    sums = np.bincount(np.repeat(np.arange(len(sizes)), sizes), ~learned[flat], len(sizes))
    return np.where(sizes > 0, sums / np.maximum(sizes, 1), 1.0).astype(np.float32)


def flatten(ids: Sequence[Sequence[int]]) -> tuple[I64, I64]:
    """Return all ids behind each other, and how many each row has."""
    sizes = np.array([len(row) for row in ids], np.int64)
    flat = np.fromiter((i for row in ids for i in row), np.int64, int(sizes.sum()))
    return flat, sizes


def _latin(character: str) -> bool:
    return ord(character) <= LAST_LATIN or unicodedata.category(character)[0] not in "LM"


@lru_cache(maxsize=4)
def tokens(max_tokens: int) -> Tokens:
    """Return the tokenizer for a length, shared by the encoders of a process."""
    return Tokens(max_tokens)
