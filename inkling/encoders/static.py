"""A vector for each token, added up: a sentence model's nearest thing without a model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from inkling.core.arrays import F32
from inkling.encoders._shipped import read_card, read_checked, shipped
from inkling.encoders._text import readable
from inkling.encoders._tokens import flatten, tokens


class StaticEncoder:
    """Token vectors distilled from MiniLM (model2vec, Tulkens and van Dongen 2024), weighted by rarity and added up.

    English. Knows what words mean but not what their order does. Reads 256 tokens and at most 8,192 characters.
    """

    name = "static"

    def __init__(self) -> None:
        self._card = read_card(shipped("static"))
        self.dim = self._card.dim
        self._tokens = tokens(self._card.max_tokens)

    @property
    def fingerprint(self) -> str:
        """Return the checksum of the table and of the tokenizer."""
        return f"static:1:{self._card.digest}:{read_card(shipped('minilm')).sha256['tokenizer.json'][:16]}"

    @cached_property
    def _table(self) -> F32:  # (n_tokens, dim)
        content = read_checked(shipped("static"), "table.npz")
        with np.load(io.BytesIO(content), allow_pickle=False) as table:
            return np.asarray(table["levels"] * table["scale"][:, None].astype(np.float32), np.float32)

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without a known token.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A shipped file was altered.
        """
        flat, sizes = flatten(self._tokens.ids(readable(texts), special=False))
        out = np.zeros((len(sizes), self.dim), np.float32)
        filled = np.flatnonzero(sizes)
        if len(filled):
            starts = np.cumsum(sizes[filled]) - sizes[filled]
            out[filled] = np.add.reduceat(self._table[flat], starts, axis=0)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens that the table knows nothing about."""
        return self._tokens.unknown_share(readable(texts))
