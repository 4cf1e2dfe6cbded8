from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from inkling.core.errors import ConfigError, StoreError
from inkling.stores.base import Changes
from inkling.stores.sqlite import FILE_NAME, SqliteLog
from inkling.testing.stores import ChangeLogContract, event, events

SECRET = "alice-needle-7f3a"


class TestSqliteLog(ChangeLogContract):
    durable = True

    @pytest.fixture
    def address(self, tmp_path):
        return f"file://{tmp_path}/shop log"


@pytest.fixture
def folder(tmp_path):
    log = SqliteLog(tmp_path)
    log.append_many([events(event(f"u{i}", event_id=f"e{i}", text="x" * 500)) for i in range(300)])
    log.close()
    return tmp_path


def read_all(folder):
    log = SqliteLog(folder)
    try:
        return list(log.scan())
    finally:
        log.close()


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_nothing_of_an_erased_person_is_left_on_disk(tmp_path):
    log = SqliteLog(tmp_path)
    for i in range(60):
        mine = event(SECRET, event_id=f"{SECRET}-{i}", text=f"I am {SECRET} " * (i * 7))
        log.append(events(*(event(f"u{j}", event_id=f"{i}-{j}") for j in range(20)), mine, event("bob")))
    log.append(Changes("users", ({"user_id": SECRET, "about": "tea"},)))
    log.append(Changes("merge", ({"user_id": SECRET, "session_id": "cookie-needle"},)))
    log.append(events({"session_id": "cookie-needle", "item_id": "mug"}))
    assert SECRET.encode() in bytes_of(tmp_path)
    n_before = log.version
    assert log.erase_user(SECRET) == 63
    assert SECRET.encode() not in bytes_of(tmp_path)
    assert b"cookie-needle" not in bytes_of(tmp_path)
    assert log.version == n_before
    assert sum(len(block.rows) for block in log.scan()) == 60 * 21
    log.close()
    assert SECRET.encode() not in bytes_of(tmp_path)


def test_an_erasure_while_another_process_reads_on_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("inkling.stores.sqlite._BUSY_S", 0.05)
    log = SqliteLog(tmp_path)
    log.append(events(event(SECRET), event("bob")))
    reader = sqlite3.connect(tmp_path / FILE_NAME)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM blocks").fetchall()
    with pytest.raises(StoreError, match="another process reads the old bytes"):
        log.erase_user(SECRET)
    assert [row["user_id"] for block in log.scan() for row in block.rows] == ["bob"]
    reader.close()
    assert log.erase_user(SECRET) == 0
    assert SECRET.encode() not in bytes_of(tmp_path)
    log.close()


def test_a_second_reader_follows(tmp_path):
    writer = SqliteLog(tmp_path)
    writer.append(events(event("alice")))
    reader = SqliteLog(tmp_path, read_only=True)
    assert reader.version == 1
    writer.append(events(event("bob")))
    assert [block.rows[0]["user_id"] for block in reader.scan(since=1)] == ["bob"]
    for write in (lambda: reader.append(events(event("eve"))), lambda: reader.erase_user("bob")):
        with pytest.raises(StoreError, match="for reading only"):
            write()
    reader.close()
    writer.close()


def test_two_writers_share_one_order(tmp_path):
    first, second = SqliteLog(tmp_path), SqliteLog(tmp_path)
    assert [first.append(events(event("a"))), second.append(events(event("b"))), first.append(events(event("c")))] == [
        1,
        2,
        3,
    ]
    assert [block.rows[0]["user_id"] for block in second.scan()] == ["a", "b", "c"]
    first.close()
    second.close()


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_durability_is_what_was_asked_for(tmp_path, durability):
    log = SqliteLog(tmp_path, durability=durability)
    assert log._writer.execute("PRAGMA synchronous").fetchone() == ({"fsync": 2, "os": 1}[durability],)
    assert log._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    log.close()


def test_an_unknown_durability(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'fsync'"):
        SqliteLog(tmp_path, durability="fsink")


def test_not_a_database(tmp_path):
    (tmp_path / FILE_NAME).write_text("item_id,title\n" * 100)
    with pytest.raises(StoreError, match=r"cannot be opened.*not a database.*name another folder"):
        SqliteLog(tmp_path)


def test_another_programs_database(tmp_path):
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("CREATE TABLE cats (name TEXT)")
    other.close()
    with pytest.raises(StoreError, match="no log of format 1"):
        SqliteLog(tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file(folder, share):
    path = folder / FILE_NAME
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(StoreError, match="damaged or cut; restore it from a backup"):
        read_all(folder)


def test_an_altered_block(folder):
    path = folder / FILE_NAME
    data = path.read_bytes()
    at = data.index(b"x" * 400)
    path.write_bytes(data[:at] + b"y" + data[at + 1 :])
    log = SqliteLog(folder)
    with pytest.raises(StoreError, match="checksum differs"):
        list(log.scan())
    log.close()


def test_missing_blocks_in_the_middle(folder):
    with sqlite3.connect(folder / FILE_NAME) as hand:
        hand.execute("DELETE FROM blocks WHERE last_version BETWEEN 10 AND 12")
    hand.close()
    log = SqliteLog(folder)
    with pytest.raises(StoreError, match="versions 10 to 12 are missing"):
        list(log.scan())
    log.close()


def test_a_torn_last_record_is_as_if_it_was_never_written(tmp_path):
    log = SqliteLog(tmp_path / "live")
    for i in range(5):
        log.append(events(event("alice", str(i))))
    shutil.copytree(tmp_path / "live", tmp_path / "crashed")
    log.close()
    wal = tmp_path / "crashed" / f"{FILE_NAME}-wal"
    wal.write_bytes(wal.read_bytes()[:-100])
    (tmp_path / "crashed" / f"{FILE_NAME}-shm").unlink()
    reopened = SqliteLog(tmp_path / "crashed")
    assert [block.rows[0]["item_id"] for block in reopened.scan()] == ["0", "1", "2", "3"]
    assert reopened.append(events(event("alice"))) == 5
    reopened.close()


def test_a_file_that_cannot_be_written(folder):
    log = SqliteLog(folder)
    log._writer.execute("PRAGMA query_only=ON")
    with pytest.raises(StoreError, match=r"readonly.*check its permissions"):
        log.append(events(event("alice")))
    log._writer.execute("PRAGMA query_only=OFF")
    assert log.append(events(event("alice"))) == 301
    log.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(folder):
    log = SqliteLog(folder)
    (n_pages,) = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count={n_pages}")
    with pytest.raises(StoreError, match=r"full.*nothing of this write was kept"):
        log.append(events(event("alice", text="z" * 100_000)))
    assert log.version == 300
    log.close()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        SqliteLog(tmp_path / "file" / "log")


def test_reading_a_log_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="There is no log at"):
        SqliteLog(tmp_path, read_only=True)


def test_waiting_threads_share_a_commit(tmp_path, monkeypatch):
    from threading import Thread

    log = SqliteLog(tmp_path)
    sizes = []
    commit = log._commits._write
    monkeypatch.setattr(log._commits, "_write", lambda tickets: (sizes.append(len(tickets)), commit(tickets)))
    with log._commits.lock:
        threads = [Thread(target=log.append, args=(events(event(f"u{i}")),)) for i in range(6)]
        for thread in threads:
            thread.start()
        while len(log._commits._waiting) < 6:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert sizes == [6]
    assert log.version == 6
    log.close()


WRITER = """
import sys
from inkling.stores.base import Changes
from inkling.stores.sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
n = int(sys.argv[2])
while True:
    rows = tuple({"user_id": "u", "item_id": f"{n}-{i}"} for i in range(n % 7 + 1))
    print(n, log.append(Changes("events", rows)), flush=True)
    n += 1
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    rng = random.Random(4)
    acknowledged = {}
    for _ in range(4):
        start = 1 + max(acknowledged, default=0) + 1000
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        lines = [child.stdout.readline() for _ in range(rng.randint(1, 60))]
        time.sleep(rng.random() * 0.02)
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        acknowledged.update(tuple(map(int, line.split())) for line in lines if line.endswith("\n"))
    log = SqliteLog(tmp_path)
    stored = {int(block.rows[0]["item_id"].split("-")[0]): (block.version, len(block.rows)) for block in log.scan()}
    log.close()
    assert len(acknowledged) > 20
    for n, version in acknowledged.items():
        assert stored[n] == (version, n % 7 + 1)
