"""A table learned from the user's own texts, without labels and without a model: any language, no weights to fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from inkling.core.arrays import F32, I64, Array
from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.encoders._characters import U64, Characters, Features, join
from inkling.encoders._spectral import directions
from inkling.encoders._text import readable
from inkling.encoders.hashing import HashingEncoder

_VERSION = 1
_CHUNK = 2048
_WORD = 2.0
_SPACED = {3: 0.25, 4: 0.5}
_IDEOGRAPH = {1: 0.5, 2: 2.0, 3: 1.0, 4: 0.5}
_SMOOTH = 1.0  # power of a direction's strength in its weight: above 0, what stands together grows alike
_LEAST_TEXTS = 2  # a feature of one text alone tells of no other


class CorpusEncoder:
    """Latent semantic analysis (Deerwester et al. 1990) of words and character n-grams: what stands together is alike.

    ``fit`` weighs features by rarity (tf-idf) and takes the main directions of texts x features by a truncated singular
    value decomposition; a text is the sum of its features' vectors. Scripts without spaces are read as runs of 1 to 4
    characters, so nothing is segmented and a new text falls back on its shorter runs. A text of which nothing is known,
    as any before ``fit``, is hashed by its spelling into the same width. Reads the first 8,192 characters.
    """

    name = "corpus"

    def __init__(self, dim: int = 128, *, max_features: int = 1 << 16, max_texts: int = 40_000) -> None:
        """State the size of the table.

        Args:
            dim: Length of a vector.
            max_features: The features that weigh most in all texts together are kept.
            max_texts: So many texts are learned from, drawn by the seed of the run.

        Raises:
            ConfigError: A number is too small.
        """
        for name, value, least in (("dim", dim, 16), ("max_features", max_features, 1), ("max_texts", max_texts, 2)):
            if value < least:
                raise ConfigError(f"corpus: {name} is {value}, expected at least {least}.")
        self.dim, self.max_features, self.max_texts = dim, max_features, max_texts
        self._spelling = HashingEncoder(dim)
        self._take(np.zeros(0, np.uint64), np.zeros((0, dim), np.float16))

    def _take(self, hashes: U64, table: Array) -> None:
        self._hashes = hashes  # (n_features,) sorted
        self._table = table.astype(np.float32)  # (n_features, dim) rarity included
        self._digest = hashlib.sha256(b"".join(array.tobytes() for array in (hashes, table))).hexdigest()[:16]

    @property
    def n_features(self) -> int:
        """Return how many words and n-grams the table knows."""
        return len(self._hashes)

    @property
    def fingerprint(self) -> str:
        """Return the method's version and a checksum of the table."""
        learned = self._digest if self.n_features else "unfitted"
        return f"corpus:{_VERSION}:{self.dim}:{learned}[{self._spelling.fingerprint}]"

    def fit(self, texts: Sequence[str], run: Run) -> Self:
        """Learn the table from texts; repeated texts count once.

        Raises:
            DataError: No word or n-gram occurs in two texts.
        """
        distinct = list(dict.fromkeys(readable(texts)))
        if len(distinct) > self.max_texts:
            drawn = run.rng(self.name, "texts").choice(len(distinct), self.max_texts, replace=False)
            distinct = [distinct[row] for row in np.sort(drawn).tolist()]
        found = _features(distinct)
        every, first, at = np.unique(found.hashes, return_index=True, return_inverse=True)
        counts = _counts(found.rows, at, (len(distinct), len(every)))
        n_texts = np.bincount(counts.indices, minlength=len(every))
        kept = _worthy(found.weights[first] * n_texts, n_texts, self.max_features)
        if not len(kept):
            raise DataError(
                f"'corpus' found no word or n-gram that two of {len(distinct)} texts share.",
                hint="Give it more texts, or read them with 'hashing'.",
            )
        counts = counts[:, kept]
        rarity = (found.weights[first] * np.log(len(distinct) / np.maximum(n_texts, 1) + 1))[kept].astype(np.float32)
        counts.data *= rarity[counts.indices]
        axes, strengths = directions(_unit_rows(counts), self.dim, run.rng(self.name, "directions"))
        table = np.zeros((len(kept), self.dim), np.float16)
        table[:, : axes.shape[1]] = axes * strengths**_SMOOTH * rarity[:, None]
        self._take(every[kept], table)
        return self

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

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share, by weight, of words and n-grams that the table has not; 1 for an empty text."""
        clean = readable(texts)
        found = _features(clean)
        whole = np.bincount(found.rows, found.weights, len(clean))
        known = np.bincount(found.rows, found.weights * (_places(self._hashes, found.hashes) >= 0), len(clean))
        return np.where(whole > 0, 1 - known / np.where(whole > 0, whole, 1), 1).astype(np.float32)

    def state(self) -> Mapping[str, Array]:
        """Return the features and their vectors."""
        return {"hashes": self._hashes, "table": self._table.astype(np.float16)}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned.

        Raises:
            DataError: It is of another width.
        """
        table = np.asarray(state["table"], np.float16)
        if table.shape[1] != self.dim:
            raise DataError(f"'corpus' has {self.dim} columns, the state {table.shape[1]}.", hint="Fit it again.")
        self._take(np.array(state["hashes"], np.uint64), table)
        return self

    def _encode(self, texts: list[str]) -> F32:
        found = _features(texts)
        at = _places(self._hashes, found.hashes)
        known = at >= 0
        out = np.zeros((len(texts), self.dim), np.float32)
        if known.any():
            counts = _counts(found.rows[known], at[known], (len(texts), self.n_features))
            out = _unit(np.asarray(counts @ self._table, np.float32))
        unknown = np.flatnonzero(~out.any(axis=1))
        out[unknown] = self._spelling.encode([texts[row] for row in unknown.tolist()])
        return out


def _features(texts: list[str]) -> Features:
    """Return words, and runs of characters inside words."""
    characters = Characters.of(texts)
    return join([characters.ngrams((1, 2, 3, 4), _SPACED, _IDEOGRAPH), characters.words(_WORD)])


def _worthy(worth: F32, n_texts: I64, most: int) -> I64:
    """Return which features are kept: in order, those of two texts and more; the worthiest where they are too many."""
    kept = np.flatnonzero(n_texts >= _LEAST_TEXTS)
    return kept if len(kept) <= most else np.sort(kept[np.argsort(-worth[kept], kind="stable")[:most]])


def _places(hashes: U64, wanted: U64) -> I64:
    """Return where each wanted hash is among the sorted ``hashes``; -1 for nowhere."""
    if not len(hashes):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
    return np.where(hashes[at] == wanted, at, -1).astype(np.int64)


def _counts(rows: I64, columns: I64, shape: tuple[int, int]) -> Any:
    """Return texts x features, sparse: 1 + ln tf."""
    from scipy.sparse import csr_array

    counts = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    counts.data = 1 + np.log(counts.data)
    return counts


def _unit_rows(matrix: Any) -> Any:
    from scipy.sparse import diags_array

    squares = np.add.reduceat(np.append(matrix.data, 0) ** 2, matrix.indptr[:-1])
    lengths = np.sqrt(np.where(np.diff(matrix.indptr) > 0, squares, 1))
    return (diags_array(1 / np.maximum(lengths, 1e-9)).astype(np.float32) @ matrix).tocsr()


def _unit(vectors: F32) -> F32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-6, lengths, 1), np.float32)
