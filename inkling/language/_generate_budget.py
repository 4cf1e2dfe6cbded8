"""What a generative model may cost: tokens a day, calls a minute and a day; and what it said, kept by content."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from inkling.core.config import Config
from inkling.core.errors import StoreError


class Budget(Config, frozen=True, kw_only=True):
    """Limits of what may be spent."""

    tokens_per_day: int = 1_000_000
    """Tokens, asked and answered together."""
    calls_per_minute: int = 30
    """Calls, retries included."""
    calls_per_day: int = 5_000
    """Calls, retries included."""


_TABLES = """
CREATE TABLE IF NOT EXISTS said (key BLOB PRIMARY KEY, answer BLOB NOT NULL, owner BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS said_owner ON said (owner) WHERE owner IS NOT NULL;
CREATE TABLE IF NOT EXISTS spent (day INTEGER PRIMARY KEY, calls INTEGER NOT NULL, tokens INTEGER NOT NULL);
"""


class Ledger:
    """Answers by key, and what was spent on each day; in a file, or in memory only."""

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Open or create the file at ``path``.

        Raises:
            StoreError: It cannot be used.
        """
        self._clock, self._lock = clock, threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA secure_delete=ON")
            self._file.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            hint = "Name a file that can be written."
            raise StoreError(f"What a model said cannot be kept in {path}: {error}.", hint=hint) from error

    def get(self, key: bytes) -> bytes | None:
        """Return a kept answer; b"" where the model had none that could be used."""
        with self._lock:
            row = self._file.execute("SELECT answer FROM said WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: bytes, answer: bytes, *, owner: bytes | None = None) -> None:
        """Keep an answer; ``owner`` stands for the person whom it is about."""
        with self._lock:
            self._file.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", (key, answer, owner))

    def forget(self, owner: bytes) -> int:
        """Drop all answers about a person; return how many there were."""
        with self._lock:
            return int(self._file.execute("DELETE FROM said WHERE owner = ?", (owner,)).rowcount)

    def drop(self, key: bytes) -> None:
        """Forget an answer."""
        with self._lock:
            self._file.execute("DELETE FROM said WHERE key = ?", (key,))

    def spent(self) -> tuple[int, int]:
        """Return the calls and tokens of this day (UTC)."""
        with self._lock:
            row = self._file.execute("SELECT calls, tokens FROM spent WHERE day = ?", (self._day(),)).fetchone()
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def spend(self, *, calls: int = 0, tokens: int = 0) -> None:
        """Count what was spent."""
        with self._lock:
            self._file.execute(
                "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE SET "
                "calls = calls + excluded.calls, tokens = tokens + excluded.tokens",
                (self._day(), calls, tokens),
            )

    def _day(self) -> int:
        return int(self._clock() // 86_400)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


class Meter:
    """Lets calls through as the budget allows."""

    def __init__(self, budget: Budget, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Count in ``ledger``; ``clock`` gives seconds."""
        self._budget, self._ledger, self._clock = budget, ledger, clock
        self._lock = threading.Lock()
        self._last: deque[float] = deque()

    def wait_s(self, tokens: int) -> float | None:
        """Take one call of about ``tokens``; return 0, or how many seconds it must wait, or None: not today."""
        calls, spent = self._ledger.spent()
        if calls >= self._budget.calls_per_day or spent + tokens > self._budget.tokens_per_day:
            return None
        with self._lock:
            now = self._clock()
            while self._last and now - self._last[0] >= 60:
                self._last.popleft()
            if len(self._last) >= self._budget.calls_per_minute:
                return 60 - (now - self._last[0]) if self._last else None
            self._last.append(now)
        self._ledger.spend(calls=1)
        return 0.0

    def count(self, tokens: int) -> None:
        """Count the tokens of a call that was made."""
        self._ledger.spend(tokens=tokens)
