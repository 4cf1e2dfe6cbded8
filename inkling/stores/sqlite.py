"""A change log in a folder: one SQLite file in WAL mode."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal, cast

from inkling.core.errors import ConfigError, StoreError, nearest
from inkling.stores import blocks, records
from inkling.stores.base import Changes, Kind, Version
from inkling.stores.commit import GroupCommit, Ticket

Durability = Literal["fsync", "os"]
FILE_NAME = "log.sqlite3"
FORMAT = 1
_SYNCHRONOUS = {"fsync": "FULL", "os": "NORMAL"}
_PAGE_BLOCKS = 256
_PAGE_BYTES = 4 << 20
_BUSY_S = 10.0
_Row = tuple[Version, Version, str, int, bytes]

_SCHEMA = """
CREATE TABLE blocks (
    last_version INTEGER PRIMARY KEY, first_version INTEGER NOT NULL, kind TEXT NOT NULL, ts INTEGER NOT NULL,
    payload BLOB NOT NULL);
CREATE TABLE owners (owner INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (owner, block)) WITHOUT ROWID;
CREATE TABLE event_ids (digest BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class SqliteLog:
    """The change log of ``file:///folder``.

    A block is a row of ``blocks``. ``owners`` (hashed ids) finds a person's blocks; ``event_ids`` (hashed) finds
    duplicates. Threads that append at once share a transaction. Other processes may read, and write in turn.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        durability: Durability = "fsync",
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the log in ``folder``, creating both where they are missing.

        Args:
            folder: Where ``log.sqlite3`` lies.
            durability: "fsync": what is acknowledged survives a power cut; "os": it survives the process.
            read_only: Never write; the log must exist.
            clock: Seconds since the epoch.

        Raises:
            ConfigError: The durability is unknown.
            StoreError: The folder or the file cannot be used, or the file is no log.
        """
        if durability not in _SYNCHRONOUS:
            raise ConfigError(f"There is no durability '{durability}'.", hint=nearest(durability, _SYNCHRONOUS))
        self._path = Path(folder) / FILE_NAME
        self._clock = clock
        self._read_only = read_only
        self._read_lock = Lock()
        self._commits = GroupCommit(self._commit)
        if not read_only:
            _make_folder(self._path.parent)
        elif not self._path.is_file():
            raise StoreError(f"There is no log at {self._path}.", hint="Open it for writing to create it.")
        with self._reported("opened"), ExitStack() as opened:
            self._writer = opened.enter_context(closing(self._connect()))
            self._reader = opened.enter_context(closing(self._connect()))
            if not read_only:
                self._writer.execute("PRAGMA journal_mode=WAL")
                self._writer.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
                self._writer.execute("PRAGMA secure_delete=ON")
                self._writer.execute("PRAGMA wal_autocheckpoint=4000")
            self._check_whole()
            opened.pop_all()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False, isolation_level=None)

    def _check_whole(self) -> None:
        """Create the tables of a new file; refuse another format; read the newest block, where a cut file shows."""
        (found,) = self._writer.execute("PRAGMA user_version").fetchone()
        (n_tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if found == 0 and n_tables == 0 and not self._read_only:
            self._create()
        elif found != FORMAT:
            seen = f"{self._path} is no log of format {FORMAT} (it says {found})."
            raise StoreError(seen, hint="Name another folder.")
        for row in self._rows(max(self._last() - 1, 0)):
            records.unframe(row[4])

    def _create(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        (n_tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if n_tables == 0:
            for statement in _SCHEMA.strip().split(";")[:-1]:
                self._writer.execute(statement)
            self._writer.execute(f"PRAGMA user_version={FORMAT}")
        self._writer.execute("COMMIT")
        for folder in (self._path.parent, self._path.parent.parent):
            records.sync_folder(folder)

    @property
    def version(self) -> Version:
        """Return the position after the last row, those of other processes included."""
        with self._read_lock, self._reported("read"):
            return self._last()

    def _last(self) -> Version:
        return int(self._reader.execute("SELECT ifnull(max(last_version), 0) FROM blocks").fetchone()[0])

    def append(self, changes: Changes) -> Version:
        """Append one block; return the log's version once it is durable. A block without rows changes nothing."""
        return self.append_many((changes,))

    def append_many(self, blocks_: Sequence[Changes]) -> Version:
        """Append several blocks, all or none, in one durable commit; return the log's version after them.

        Raises:
            StoreError: A row is no plain data, or the disk did not take the blocks; nothing was written.
        """
        now_ms = int(self._clock() * 1000)
        packed = [blocks.pack(changes, now_ms=now_ms) for changes in blocks_ if changes.rows]
        if self._read_only:
            raise StoreError(f"{self._path} was opened for reading only.", hint="Open it without read_only.")
        return self._commits.submit(packed) if packed else self.version

    def _commit(self, tickets: Sequence[Ticket]) -> None:
        with self._transaction():
            version = int(self._writer.execute("SELECT ifnull(max(last_version), 0) FROM blocks").fetchone()[0])
            rows: list[_Row] = []
            owners: list[tuple[int, Version]] = []
            event_ids: list[tuple[bytes]] = []
            for ticket in tickets:
                for block in ticket.blocks:
                    first, version = version + 1, version + block.n_rows
                    rows.append((version, first, block.kind, block.ts, records.frame(block.payload)))
                    owners.extend((records.short_hash(key), version) for key in block.owners)
                    event_ids.extend((records.digest(key),) for key in block.event_ids)
                ticket.version = version
            self._writer.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?)", rows)
            self._writer.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?)", sorted(owners))
            self._writer.executemany("INSERT OR IGNORE INTO event_ids VALUES (?)", sorted(event_ids))

    def scan(self, *, since: Version = 0) -> Iterator[Changes]:
        """Yield the blocks that end after ``since``, in order, those appended meanwhile included.

        Raises:
            StoreError: The file is damaged, or blocks are missing in the middle.
        """
        while page := self._page(since):
            for last, first, kind, ts, payload in page:
                if first > since + 1:
                    raise StoreError(
                        f"{self._path}: versions {since + 1} to {first - 1} are missing.",
                        hint="Restore the store from a backup.",
                    )
                yield Changes(cast("Kind", kind), blocks.decode(records.unframe(payload)), last, ts)
                since = last

    def _page(self, since: Version) -> list[_Row]:
        """Return some blocks after ``since``; no read transaction stays open, so checkpoints are never held up."""
        with self._read_lock, self._reported("read"):
            return self._rows(since)

    def _rows(self, since: Version) -> list[_Row]:
        rows: list[_Row] = []
        n_bytes = 0
        cursor = self._reader.execute(
            "SELECT last_version, first_version, kind, ts, payload FROM blocks WHERE last_version > ? "
            "ORDER BY last_version LIMIT ?",
            (since, _PAGE_BLOCKS),
        )
        for row in cursor:
            rows.append(row)
            n_bytes += len(row[4])
            if n_bytes > _PAGE_BYTES:
                break
        cursor.close()
        return rows

    def duplicates(self, event_ids: Sequence[str]) -> set[str]:
        """Return those of ``event_ids`` that are in the log."""
        by_digest = {records.digest(key): key for key in event_ids}
        wanted = list(by_digest)
        found: set[str] = set()
        with self._read_lock, self._reported("read"):
            for begin in range(0, len(wanted), 500):
                part = wanted[begin : begin + 500]
                marks = ",".join("?" * len(part))
                rows = self._reader.execute(f"SELECT digest FROM event_ids WHERE digest IN ({marks})", part)
                found.update(by_digest[digest] for (digest,) in rows)
        return found

    def erase_user(self, user_id: str) -> int:
        """Remove a person's rows, and those of sessions merged into them, from the disk; return how many.

        Blocks keep their versions and their size (freed bytes are zeros), so no copy of a row is left in a page that
        was moved. An ``erase`` block of that person loses its row too: whoever meets it empty learns that what was read
        before is out of date, not who it was.

        Raises:
            StoreError: Another process reads for so long that old bytes cannot be wiped; erase again later.
        """
        if self._read_only:
            raise StoreError(f"{self._path} was opened for reading only.", hint="Open it without read_only.")
        with self._commits.lock:
            with self._transaction():
                n_removed = self._erase(user_id)
            self._wipe()
        return n_removed

    def _erase(self, user_id: str) -> int:
        found = self._blocks_of({blocks.PERSON + user_id})
        sessions = {
            key for kind, rows in found.values() if kind == "merge" for key in blocks.merged_sessions(rows, user_id)
        }
        owners = {blocks.PERSON + user_id, *(blocks.SESSION + key for key in sessions)}
        n_removed = 0
        for version, (_, rows) in self._blocks_of(owners).items():
            kept, removed = blocks.without(rows, owners)
            n_removed += len(removed)
            self._rewrite(version, kept, removed)
        return n_removed

    def _blocks_of(self, owners: set[str]) -> dict[Version, tuple[str, tuple[blocks.Row, ...]]]:
        found = {}
        for key in owners:
            rows = self._writer.execute(
                "SELECT last_version, kind, payload FROM owners JOIN blocks ON block = last_version WHERE owner = ?",
                (records.short_hash(key),),
            )
            found.update({version: (kind, blocks.decode(records.unframe(payload))) for version, kind, payload in rows})
        return found

    def _rewrite(self, version: Version, kept: list[blocks.Row], removed: list[blocks.Row]) -> None:
        (size,) = self._writer.execute(
            "SELECT length(payload) FROM blocks WHERE last_version = ?", (version,)
        ).fetchone()
        payload = records.frame(blocks.encode(kept), size=size)
        self._writer.execute("UPDATE blocks SET payload = ? WHERE last_version = ?", (payload, version))
        self._writer.executemany(
            "DELETE FROM event_ids WHERE digest = ?",
            [(records.digest(key),) for key in blocks.event_ids_of(removed)],
        )
        left = {records.short_hash(key) for row in kept if (key := blocks.owner_of(row)) is not None}
        gone = {records.short_hash(key) for row in removed if (key := blocks.owner_of(row)) is not None} - left
        self._writer.executemany(
            "DELETE FROM owners WHERE owner = ? AND block = ?", [(owner, version) for owner in gone]
        )

    def _wipe(self) -> None:
        """Write the WAL back and cut it to nothing, so that no old page is left on disk."""
        with self._read_lock, self._reported("wiped"):
            (busy, _, _) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(
                f"{self._path}: the rows are erased, but another process reads the old bytes.",
                hint="Erase again once it is done.",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._reported("written"):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise records.store_error(self._path, what, error) from error

    def close(self) -> None:
        """Write everything back and close; further calls raise StoreError."""
        with self._commits.lock, self._read_lock:
            self._reader.close()
            self._writer.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Name a folder that can be written."
        ) from error
