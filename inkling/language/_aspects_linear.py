"""Whether a text is content or not, by its words and characters: linear, any language, learned in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from inkling.core.arrays import F32, F64, Array, Bool
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.encoders._characters import Characters, join
from inkling.language.clean import clean_all

_DIM = 1 << 18
_SPACED = {3: 0.5, 4: 0.5, 5: 0.5}
_IDEOGRAPH = {1: 1.0, 2: 1.0, 3: 0.7}
_CHUNK = 4096


class LinearSentiment:
    """Logistic regression on hashed words and character n-grams (the features of NBSVM, Wang and Manning 2012)."""

    def __init__(self, *, l2: float = 1.0) -> None:
        """Set the strength of regularisation."""
        self.l2 = l2
        self._weights = np.zeros(_DIM + 1, dtype=np.float32)

    def fit(self, texts: Sequence[str], positive: Bool | Sequence[bool]) -> Self:
        """Learn from texts (N,) and whether each is content.

        Raises:
            DataError: All texts are of one kind.
        """
        from scipy.optimize import minimize

        truth = np.asarray(positive, dtype=np.float64)
        if not 0 < truth.sum() < len(truth):
            raise DataError("Sentiment cannot be learned: all texts are of one kind.", hint="Give both kinds.")
        x = _features(texts)
        used = np.unique(x.indices)
        x = x[:, used]

        def loss(weights: F64) -> tuple[float, F64]:
            scores = x @ weights[:-1] + weights[-1]
            apart = _sigmoid(scores) - truth
            value = np.logaddexp(0, scores).sum() - truth @ scores + 0.5 * self.l2 * (weights[:-1] @ weights[:-1])
            return float(value), np.append(x.T @ apart + self.l2 * weights[:-1], apart.sum())

        found = minimize(loss, np.zeros(len(used) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200})
        self._weights = np.zeros(_DIM + 1, dtype=np.float32)
        self._weights[used], self._weights[-1] = found.x[:-1], found.x[-1]
        return self

    @classmethod
    def of_ratings(cls, data: Dataset, *, good: float = 4.0, bad: float = 2.0) -> Self:
        """Learn from the reviews of a data set whose stars tell: at least ``good``, or at most ``bad``.

        Raises:
            DataError: There are not reviews of both kinds.
        """
        events = data.interactions
        told = [bool(text) for text in events.texts] if len(events.texts) else np.zeros(len(events), dtype=np.bool_)
        rows = np.flatnonzero(told & ((events.values >= good) | (events.values <= bad)))
        return cls().fit([str(events.texts[row]) for row in rows], events.values[rows] >= good)

    def positive(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return the probability that each text is content."""
        return _sigmoid(_features(texts) @ self._weights[:-1] + self._weights[-1]).astype(np.float32)

    def state(self) -> Mapping[str, Array]:
        """Return the weights that are not zero."""
        used = np.flatnonzero(self._weights)
        return {"columns": used.astype(np.int32), "weights": self._weights[used]}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._weights = np.zeros(_DIM + 1, dtype=np.float32)
        self._weights[state["columns"]] = state["weights"]
        return self


def _features(texts: Sequence[str]) -> Any:
    """Return (N, columns) sparse rows of length one."""
    from scipy import sparse

    cleaned = clean_all(texts)
    parts = [_counted(cleaned[start : start + _CHUNK]) for start in range(0, len(cleaned), _CHUNK)]
    return sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, _DIM))


def _counted(texts: Sequence[str]) -> Any:
    from scipy import sparse

    characters = Characters.of(texts)
    found = join([characters.ngrams((1, 2, 3, 4, 5), _SPACED, _IDEOGRAPH), characters.words(1.0)])
    columns = (found.hashes % np.uint64(_DIM)).astype(np.int64)
    matrix = sparse.csr_matrix((found.weights.astype(np.float64), (found.rows, columns)), shape=(len(texts), _DIM))
    matrix.data = np.log1p(matrix.data)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(4.0 / np.where(lengths > 0, lengths, 1)) @ matrix


def _sigmoid(x: F64 | F32) -> F64:
    safe = np.asarray(np.clip(x, -30, 30), dtype=np.float64)
    return 1 / (1 + np.exp(np.negative(safe)))
