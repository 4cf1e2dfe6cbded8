"""all-MiniLM-L6-v2 as a fused int8 graph in ONNX Runtime: no torch, no network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I64
from inkling.core.errors import ConfigError
from inkling.encoders._shipped import read_card, read_checked, shipped
from inkling.encoders._text import readable
from inkling.encoders._tokens import tokens

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_TOKENS_PER_BATCH = 2048
Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


class SentenceEncoder:
    """MiniLM (Wang et al. 2020) trained on a billion pairs of sentences (Reimers and Gurevych 2019), in English.

    Reads the first 256 tokens, and of them at most 8,192 characters; the rest of a longer text is left out.
    Texts of alike length travel together, so that little is padded. Activations are quantised by row, so that a text's
    vector knows no neighbours.
    """

    name = "sentence"

    def __init__(self, *, max_tokens: int = 256, n_threads: int = 1, progress: Progress = _ignore) -> None:
        """Prepare the encoder; the model is loaded when the first text comes.

        Args:
            max_tokens: Tokens of a text that are read, 3 to 256.
            n_threads: Threads inside the model.
            progress: Called as ``progress(n_done, n_texts)`` after each batch.

        Raises:
            ConfigError: ``max_tokens`` or ``n_threads`` is out of range.
        """
        card = read_card(shipped("minilm"))
        if not 3 <= max_tokens <= card.max_tokens:
            raise ConfigError(f"sentence: max_tokens is {max_tokens}, expected 3 to {card.max_tokens}.")
        if n_threads < 1:
            raise ConfigError(f"sentence: n_threads is {n_threads}, expected at least 1.")
        self.dim = card.dim
        self.max_tokens, self.n_threads, self.progress = max_tokens, n_threads, progress
        self.fingerprint = f"sentence:1:{card.digest}:{max_tokens}"
        self._tokens = tokens(max_tokens)
        self._session: InferenceSession | None = None
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without tokens.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A shipped file was altered.
        """
        ids = self._tokens.ids(readable(texts), special=True)
        out = np.zeros((len(ids), self.dim), np.float32)
        done = 0
        for rows in _batches([len(row) for row in ids]):
            padded, mask = _pad([ids[row] for row in rows])
            out[rows] = self._loaded().run(None, {"input_ids": padded, "attention_mask": mask})[0]
            done += len(rows)
            self.progress(done, len(ids))
        return out

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens never learned: 电影 and 音乐 are the same vector to this model."""
        return self._tokens.unknown_share(readable(texts))

    def _loaded(self) -> InferenceSession:
        with self._lock:
            if self._session is None:
                self._session = _open(self.n_threads)
            return self._session


def _open(n_threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = read_checked(shipped("minilm"), "model.onnx")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _batches(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield rows, short texts first, ``_TOKENS_PER_BATCH`` padded tokens at a time; texts without tokens stay out."""
    order = sorted((row for row, size in enumerate(sizes) if size > 2), key=lambda row: sizes[row])
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * sizes[row] > _TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _pad(ids: Sequence[Sequence[int]]) -> tuple[I64, I64]:
    """Return ids and mask, both (N, T), padded to the longest, which is the last."""
    padded = np.zeros((len(ids), len(ids[-1])), np.int64)
    mask = np.zeros_like(padded)
    for row, values in enumerate(ids):
        padded[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return padded, mask
