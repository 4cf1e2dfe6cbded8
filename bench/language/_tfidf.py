"""Neighbours by words: the baseline of what texts say before any language model."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from inkling.core.arrays import F32
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import TasteConfig, day_length, tastes

_WORD = re.compile(r"\w+")


class TfIdf:
    """Cosine of an item's words with those of a person's history; rare words count more (Salton and Buckley 1988)."""

    name = "tfidf"

    def __init__(self, settings: dict[str, Any]) -> None:
        self.config = TasteConfig(**settings)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Count the words of each item."""
        self._day = day_length(data)
        self._matrix = tfidf(data.items.texts())
        return self

    def scores(self, query: Query) -> F32:
        """Return (B, n_items)."""
        n = self._matrix.shape[0]
        out = np.zeros((len(query), query.n_items), np.float32)
        for row, taste in zip(out, tastes(query, n, self.config, self._day), strict=True):
            profile = taste.weights @ self._matrix[taste.rows] if len(taste.rows) else np.zeros(self._matrix.shape[1])
            length = float(np.linalg.norm(profile))
            if length > 0:
                row[:n] = self._matrix @ (profile / length)
        return out

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k nearest items."""
        return retrieve(self, query, k)


def tfidf(texts: list[str]) -> csr_array:
    """Return items x words (float32), rows of length one: (1 + log count) * log(n / items with the word)."""
    counts = [Counter(_WORD.findall(text.lower())) for text in texts]
    place = {word: column for column, word in enumerate(dict.fromkeys(word for one in counts for word in one))}
    rows = np.repeat(np.arange(len(texts)), [len(one) for one in counts])
    columns = np.array([place[word] for one in counts for word in one], np.int64)
    values = 1 + np.log(np.array([n for one in counts for n in one.values()], np.float64))
    values *= np.log(len(texts) / np.bincount(columns, minlength=max(len(place), 1)))[columns]
    lengths = np.sqrt(np.bincount(rows, values**2, len(texts)))
    values /= np.maximum(lengths[rows], 1e-9)
    return csr_array((values.astype(np.float32), (rows, columns)), shape=(len(texts), max(len(place), 1)))
