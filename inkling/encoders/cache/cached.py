"""An encoder in front of which its own vectors are kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inkling.core.arrays import F32
from inkling.encoders._text import readable
from inkling.encoders.base import Encoder
from inkling.encoders.cache.disk import DiskVectors
from inkling.encoders.cache.memory import MemoryVectors


class CachedEncoder:
    """Answers like ``encoder``, but reads a text once: first memory, then the file if there is one, then the encoder.

    A vector's key is the hash of the encoder's fingerprint and the text. Keys of other encoders, settings or weights
    never meet, and no text is stored.

    Attributes:
        hits: Texts answered from memory or file so far.
        misses: Texts that the encoder had to read.
    """

    def __init__(self, encoder: Encoder, *, max_bytes: int = 256 << 20, path: Path | None = None) -> None:
        """Wrap ``encoder``.

        Args:
            encoder: What makes the vectors.
            max_bytes: Memory for vectors; the least recently used leave first.
            path: A file that keeps vectors for the next process; without it they are kept in memory only.

        Raises:
            StoreError: The file cannot be opened.
        """
        self.encoder = encoder
        self.name, self.dim = encoder.name, encoder.dim
        self.memory = MemoryVectors(max_bytes)
        self.disk = DiskVectors(path) if path is not None else None
        self.hits = self.misses = 0
        self._count = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """Return the wrapped encoder's fingerprint: the vectors are the same."""
        return self.encoder.fingerprint

    @property
    def hit_rate(self) -> float:
        """Return hits / (hits + misses), 0 before the first text."""
        return self.hits / max(self.hits + self.misses, 1)

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return what the encoder returns.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            StoreError: The file failed.
        """
        clean = readable(texts)
        keys = [self._key(text) for text in clean]
        distinct = dict(zip(keys, clean, strict=True))
        found = self._kept(list(distinct))
        missing = {key: text for key, text in distinct.items() if key not in found}
        if missing:
            found |= self._read(missing)
        with self._count:
            self.misses += len(missing)
            self.hits += len(keys) - len(missing)
        out = np.zeros((len(keys), self.dim), np.float32)
        for row, key in enumerate(keys):
            out[row] = found[key]
        return out

    def forget(self, texts: Sequence[str]) -> int:
        """Drop the vectors of these texts from memory and file; return how many texts had one."""
        keys = list({self._key(text) for text in readable(texts)})
        in_memory = self.memory.drop(keys)
        return max(in_memory, self.disk.drop(keys)) if self.disk is not None else in_memory

    def close(self) -> None:
        """Close the file, if there is one."""
        if self.disk is not None:
            self.disk.close()

    def _key(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=16, key=self._salt).digest()

    @property
    def _salt(self) -> bytes:
        return hashlib.blake2b(self.encoder.fingerprint.encode(), digest_size=32).digest()

    def _kept(self, keys: list[bytes]) -> dict[bytes, F32]:
        found = self.memory.get(keys)
        rest = [key for key in keys if key not in found]
        if self.disk is None or not rest:
            return found
        stored = {key: vector for key, vector in self.disk.get(rest).items() if len(vector) == self.dim}
        self.memory.put(stored)
        return found | stored

    def _read(self, missing: dict[bytes, str]) -> dict[bytes, F32]:
        vectors = self.encoder.encode(list(missing.values()))
        read = {key: vector.copy() for key, vector in zip(missing, vectors, strict=True)}
        self.memory.put(read)
        if self.disk is not None:
            self.disk.put(read)
        return read
