"""Vectors in one SQLite file, shared by the processes of a machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import StoreError

_KEYS_PER_QUERY = 500
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"


class DiskVectors:
    """A table from key to vector. It holds no texts, only their hashes. Losing it costs time, nothing else."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at ``path``.

        Raises:
            StoreError: It is no vector cache, or cannot be written.
        """
        self.path = path
        self._lock = threading.Lock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_TABLE)

    def __len__(self) -> int:
        with self._told():
            return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def get(self, keys: Sequence[bytes]) -> dict[bytes, F32]:
        """Return what is stored of ``keys``."""
        found: dict[bytes, F32] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            with self._told():
                rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                found.update((bytes(key), np.frombuffer(vector, "<f4")) for key, vector in rows)
        return found

    def put(self, vectors: Mapping[bytes, F32]) -> None:
        """Store these in one transaction."""
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def drop(self, keys: Sequence[bytes]) -> int:
        """Delete ``keys``; return how many were here."""
        with self._transaction():
            return self._connection.executemany("DELETE FROM vectors WHERE key = ?", [(key,) for key in keys]).rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Hold the connection, and say which file failed."""
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                hint = "It can be deleted: vectors are made anew."
                raise StoreError(f"The vector cache {self.path.name} failed: {error}.", hint=hint) from error
