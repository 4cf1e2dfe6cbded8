"""What every change log does, as a test suite: subclass it, give it an ``address`` fixture, and run it."""

# ruff: noqa: D102 - a test's name says what it says

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest

from inkling.core.errors import StoreError
from inkling.stores.address import open_log
from inkling.stores.base import ChangeLog, Changes


def event(user_id: str, item_id: str = "mug", **more: Any) -> dict[str, Any]:
    """Return one event as it stands in the log."""
    return {"user_id": user_id, "item_id": item_id, "event": "purchase", "timestamp": 1_000, **more}


def events(*rows: dict[str, Any]) -> Changes:
    """Return a block of events."""
    return Changes("events", rows)


class ChangeLogContract:
    """The suite. Subclasses define the fixture ``address`` and say whether the log is ``durable``."""

    durable = False

    @pytest.fixture
    def address(self) -> str:
        """Return where a fresh log lies."""
        raise AssertionError("A subclass gives the address.")

    @pytest.fixture
    def log(self, address: str) -> Any:
        """Yield a fresh log, closed at the end."""
        log = open_log(address)
        yield log
        log.close()

    def test_is_a_change_log(self, log: ChangeLog) -> None:
        assert isinstance(log, ChangeLog)

    def test_a_fresh_log_is_empty(self, log: ChangeLog) -> None:
        assert log.version == 0
        assert list(log.scan()) == []
        assert log.duplicates(["a"]) == set()
        assert log.erase_user("alice") == 0

    def test_the_version_grows_by_one_a_row(self, log: ChangeLog) -> None:
        assert log.append(events(event("alice"))) == 1
        assert log.append(events(event("bob"), event("carol"))) == 3
        assert log.version == 3
        assert [block.version for block in log.scan()] == [1, 3]

    def test_rows_come_back_in_order_and_equal(self, log: ChangeLog) -> None:
        rows = (event("alice", value=2.5, context={"place": "home"}), event("bob", value=None, tags=["a", 1]))
        log.append(Changes("events", rows, ts=77))
        log.append(Changes("items", ({"item_id": "mug", "price": 3},), ts=78))
        assert list(log.scan()) == [
            Changes("events", rows, 2, 77),
            Changes("items", ({"item_id": "mug", "price": 3},), 3, 78),
        ]

    def test_the_log_says_when_it_was_appended(self, log: ChangeLog) -> None:
        log.append(events(event("alice")))
        assert next(iter(log.scan())).ts > 1_600_000_000_000

    def test_since_leaves_out_what_is_known(self, log: ChangeLog) -> None:
        for n_rows in (1, 3, 2):
            log.append(events(*(event("alice") for _ in range(n_rows))))
        seen = {since: [block.version for block in log.scan(since=since)] for since in range(8)}
        assert seen == {
            **{0: [1, 4, 6], 1: [4, 6], 2: [4, 6], 3: [4, 6]},
            **{4: [6], 5: [6], 6: [], 7: []},
        }

    def test_a_scan_sees_what_is_appended_meanwhile(self, log: ChangeLog) -> None:
        log.append(events(event("alice")))
        scan = log.scan()
        next(scan)
        log.append(events(event("bob")))
        assert next(scan).rows[0]["user_id"] == "bob"

    def test_a_block_without_rows_changes_nothing(self, log: ChangeLog) -> None:
        log.append(events(event("alice")))
        assert log.append(events()) == 1
        assert log.append_many([]) == 1
        assert len(list(log.scan())) == 1

    def test_many_blocks_at_once(self, log: ChangeLog) -> None:
        many = [events(event("alice"), event("bob")), Changes("users", ({"user_id": "alice"},)), events()]
        assert log.append_many(many) == 3
        assert [(block.kind, block.version) for block in log.scan()] == [("events", 2), ("users", 3)]

    @pytest.mark.parametrize("bad", [object(), {1, 2j}, 1 << 70, "\ud800"])
    def test_all_blocks_or_none(self, log: ChangeLog, bad: object) -> None:
        with pytest.raises(StoreError, match="cannot be written"):
            log.append_many([events(event("alice")), events(event("bob", odd=bad))])
        assert log.version == 0
        assert list(log.scan()) == []
        assert log.append(events(event("alice"))) == 1

    def test_an_unknown_kind_is_refused(self, log: ChangeLog) -> None:
        with pytest.raises(StoreError, match="Did you mean 'events'"):
            log.append(Changes("event", (event("alice"),)))  # type: ignore[arg-type]

    def test_ids_are_text(self, log: ChangeLog) -> None:
        with pytest.raises(StoreError, match="user_id is 7"):
            log.append(events({"user_id": 7, "item_id": "mug"}))

    def test_later_edits_of_a_row_do_not_reach_the_log(self, log: ChangeLog) -> None:
        row = event("alice")
        log.append(events(row))
        row["item_id"] = "plate"
        assert next(iter(log.scan())).rows[0]["item_id"] == "mug"

    def test_duplicates(self, log: ChangeLog) -> None:
        log.append(events(*(event("alice", event_id=f"e{i}") for i in range(1200))))
        log.append(events(event("alice", event_id="e3"), event("bob")))
        asked = [f"e{i}" for i in range(1000, 1400)]
        assert log.duplicates(asked) == {f"e{i}" for i in range(1000, 1200)}
        assert log.duplicates([f"e{i}" for i in range(1200)]) == {f"e{i}" for i in range(1200)}
        assert log.duplicates([]) == set()

    def test_big_blocks_and_any_script(self, log: ChangeLog) -> None:
        text = "电影 и музыка 🎬 \x00 'quoted' " * 1000
        rows = tuple(event(f"用户{i}", text=text) for i in range(200))
        assert log.append(Changes("events", rows)) == 200
        assert next(iter(log.scan())).rows == rows
        assert log.erase_user("用户7") == 1

    def test_many_threads_append_at_once(self, log: ChangeLog) -> None:
        acknowledged: list[list[tuple[int, str]]] = [[] for _ in range(8)]

        def work(which: int) -> None:
            for i in range(25):
                version = log.append(events(event(f"u{which}", f"{which}-{i}"), event(f"u{which}", "x")))
                acknowledged[which].append((version, f"{which}-{i}"))

        threads = [Thread(target=work, args=(which,)) for which in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = {block.version: block.rows[0]["item_id"] for block in log.scan()}
        assert dict(pair for part in acknowledged for pair in part) == stored
        assert sorted(stored) == list(range(2, 402, 2))

    def test_readers_see_whole_blocks_while_others_append(self, log: ChangeLog) -> None:
        def work() -> None:
            for i in range(100):
                log.append(events(*(event("alice", str(i)) for _ in range(5))))

        writer = Thread(target=work)
        writer.start()
        seen: list[Changes] = []
        while writer.is_alive() or len(seen) < 100:
            seen.extend(log.scan(since=seen[-1].version if seen else 0))
        writer.join()
        assert [block.version for block in seen] == list(range(5, 505, 5))
        assert all(len({row["item_id"] for row in block.rows}) == 1 and len(block.rows) == 5 for block in seen)

    def test_erase_takes_every_row_of_a_person(self, log: ChangeLog) -> None:
        log.append(events(event("alice", event_id="a1"), event("bob", event_id="b1")))
        log.append(Changes("users", ({"user_id": "alice", "about": "tea"}, {"user_id": "bob"})))
        log.append(Changes("impressions", ({"user_id": "alice", "items": ["mug"]},)))
        log.append(Changes("items", ({"item_id": "alice"},)))
        assert log.erase_user("alice") == 3
        assert [(block.kind, block.version, block.rows) for block in log.scan()] == [
            ("events", 2, (event("bob", event_id="b1"),)),
            ("users", 4, ({"user_id": "bob"},)),
            ("impressions", 5, ()),
            ("items", 6, ({"item_id": "alice"},)),
        ]
        assert log.duplicates(["a1", "b1"]) == {"b1"}
        assert log.erase_user("alice") == 0

    def test_erase_takes_the_sessions_that_became_the_persons(self, log: ChangeLog) -> None:
        anonymous = {"session_id": "s1", "item_id": "mug", "event": "view"}
        log.append(events(anonymous, {**anonymous, "session_id": "s2"}, event("bob", session_id="s1")))
        log.append(Changes("merge", ({"user_id": "alice", "session_id": "s1"},)))
        log.append(events({**anonymous, "item_id": "plate"}))
        assert log.erase_user("alice") == 3
        left = [row for block in log.scan() for row in block.rows]
        assert left == [{**anonymous, "session_id": "s2"}, event("bob", session_id="s1")]

    def test_versions_stay_and_grow_after_an_erasure(self, log: ChangeLog) -> None:
        log.append(events(event("alice"), event("alice")))
        log.append(Changes("erase", ({"user_id": "alice"},)))
        assert log.erase_user("alice") == 3
        assert log.version == 3
        assert log.append(events(event("alice"))) == 4
        assert [(block.kind, len(block.rows)) for block in log.scan()] == [("events", 0), ("erase", 0), ("events", 1)]
        assert log.erase_user("alice") == 1

    def test_a_closed_log_says_so(self, address: str) -> None:
        log = open_log(address)
        log.close()
        for use in (
            lambda: log.append(events(event("alice"))),
            lambda: list(log.scan()),
            lambda: log.duplicates(["a"]),
        ):
            with pytest.raises(StoreError, match="closed"):
                use()

    def test_reopening_keeps_what_was_acknowledged(self, address: str) -> None:
        if not self.durable:
            pytest.skip("this log ends with its process")
        first = open_log(address)
        first.append(events(event("alice", event_id="a1"), event("bob")))
        first.append(Changes("items", ({"item_id": "mug"},)))
        first.erase_user("bob")
        before = list(first.scan())
        first.close()
        second = open_log(address)
        assert (second.version, list(second.scan())) == (3, before)
        assert second.duplicates(["a1"]) == {"a1"}
        assert second.append(events(event("carol"))) == 4
        second.close()
