"""The vectors used last, in memory, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from inkling.core.arrays import F32

_ENTRY_BYTES = 270  # a key, an array's header and the map's own entry, as tracemalloc counts 100,000 of them


class MemoryVectors:
    """The least recently used leave first. Safe to use from many threads."""

    def __init__(self, max_bytes: int) -> None:
        """Keep at most ``max_bytes``, vectors and their keys together."""
        self.max_bytes = max_bytes
        self.n_bytes = 0
        self._vectors: OrderedDict[bytes, F32] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, F32]:
        """Return what is kept of ``keys``."""
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        return found

    def put(self, vectors: Mapping[bytes, F32]) -> None:
        """Keep these as the most recent, and let the oldest go."""
        with self._lock:
            for key, vector in vectors.items():
                self._drop(key)
                self._vectors[key] = vector
                self.n_bytes += vector.nbytes + _ENTRY_BYTES
            while self.n_bytes > self.max_bytes:
                self._drop(next(iter(self._vectors)))

    def drop(self, keys: Sequence[bytes]) -> int:
        """Forget ``keys``; return how many were here."""
        with self._lock:
            return sum(self._drop(key) for key in keys)

    def _drop(self, key: bytes) -> bool:
        vector = self._vectors.pop(key, None)
        if vector is None:
            return False
        self.n_bytes -= vector.nbytes + _ENTRY_BYTES
        return True
