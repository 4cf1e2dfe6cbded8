"""Streams over a real socket: own events at once, the catalogue's within a second, resumed, beating, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import re
import socket
import threading
import time

import pytest

import inkling
from inkling.core.errors import OverloadError, RequestError
from inkling.engine._remote_events import EventReader
from inkling.engine.base import Ask
from inkling.engine.remote import Patience, RemoteEngine
from inkling.server import live
from inkling.server.live import Hub
from inkling.server.metrics import Metrics

TITLES = ["red mug", "blue mug", "tea pot", "green tea", "desk lamp", "lunch bag", "paper chain", "alarm clock"]


@pytest.fixture
def shop():
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": str(n), "title": title} for n, title in enumerate(TITLES)])
        engine.observe([{"user_id": f"u{n}", "item_id": str(n % 4)} for n in range(12)])
        assert engine.read_all()
        yield engine


class Reader:
    """A stream read on a thread of its own; ``lists`` are the events that came, with the moments they came."""

    def __init__(self, url, user_id, k=4, last_id=""):
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        headers = {"Last-Event-ID": last_id} if last_id else {}
        self._connection.request("GET", f"/v1/users/{user_id}/stream?k={k}", headers=headers)
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self.lists, self.lines, self.ended = [], [], False
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        reader = EventReader()
        try:
            while line := self.answer.readline():
                text = line.decode().rstrip("\r\n")
                event = reader.take(text)
                with self._came:
                    self.lines.append(text)
                    if event is not None:
                        self.lists.append((time.perf_counter(), event))
                    self._came.notify_all()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        with self._came:
            self.ended = True
            self._came.notify_all()

    def wait(self, n, timeout_s=10.0):
        with self._came:
            assert self._came.wait_for(lambda: len(self.lists) >= n, timeout_s), self.lines
            return self.lists[n - 1]

    def wait_end(self):
        with self._came:
            assert self._came.wait_for(lambda: self.ended, 10)

    def close(self):
        """Leave; the socket is shut first, since closing what another thread reads would wait for it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self.answer.close()
        self._connection.close()


def test_an_own_event_changes_the_stream_at_once(shop, served):
    url = served(shop)
    reader = Reader(url, "ann")
    assert reader.answer.status == 200
    assert reader.answer.getheader("content-type").startswith("text/event-stream")
    _, first = reader.wait(1)
    assert first.name == "list"
    with inkling.open(url) as remote:
        before = time.perf_counter()
        remote.observe([{"user_id": "ann", "item_id": "2"}])
        came, second = reader.wait(2)
        assert came - before < 5  # some milliseconds, but for a machine that is busy
        assert second.id != first.id
        assert [line["item_id"] for line in inkling_list(second)] == remote.recommend("ann", k=4).item_ids
        text = _metrics(url)
    assert re.search(r'inkling_event_to_order_seconds_count{seen="pushed"} [1-9]', text)
    assert re.search(r'inkling_event_to_order_seconds_count{seen="answerable"} 1', text)
    assert "inkling_streams 1" in text
    assert 'route="/v1/users/{id}/stream"' not in text.replace("requests_total", "")
    reader.close()


def inkling_list(event):
    import json

    return json.loads(event.data)["items"]


def _metrics(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_change_of_the_catalogue_reaches_everybody(shop, served):
    url = served(shop)
    readers = [Reader(url, f"new{n}", k=8) for n in range(5)]
    for reader in readers:
        reader.wait(1)
    before = time.perf_counter()
    shop.delete_item("0")
    for reader in readers:
        came, event = reader.wait(2)
        assert came - before < 5
        assert "0" not in [line["item_id"] for line in inkling_list(event)]
        reader.close()


def test_a_merge_and_an_event_of_the_session_reach_its_person(shop, served):
    reader = Reader(served(shop), "eve")
    reader.wait(1)
    shop.observe([{"session_id": "visit", "item_id": "1"}])
    shop.merge("eve", "visit")
    reader.wait(2)
    shop.observe([{"session_id": "visit", "item_id": "2"}])
    reader.wait(3)
    reader.close()


def test_a_stream_goes_on_after_what_was_seen(shop, served):
    url = served(shop)
    reader = Reader(url, "ann")
    _, first = reader.wait(1)
    reader.close()
    again = Reader(url, "ann", last_id=first.id)
    time.sleep(0.3)
    assert again.lists == []
    shop.observe([{"user_id": "ann", "item_id": "3"}])
    _, second = again.wait(1)
    again.close()
    late = Reader(url, "ann", last_id=first.id)
    assert late.wait(1)[1].id == second.id
    late.close()


def test_a_quiet_stream_beats_and_other_peoples_events_do_not_move_it(shop, served, monkeypatch):
    monkeypatch.setattr("inkling.server.routes.stream.BEAT_S", 0.05)
    reader = Reader(served(shop), "ann")
    reader.wait(1)
    time.sleep(0.3)
    assert reader.lines.count(": beat") >= 2
    assert len(reader.lists) == 1
    reader.close()


def test_only_lists_that_were_sent_are_impressions(shop, served):
    shop._impressions.flush()
    said = [row for block in shop._log.scan() if block.kind == "impressions" for row in block.rows]
    reader = Reader(served(shop), "ann")
    reader.wait(1)
    shop.observe([{"user_id": "ann", "item_id": "1"}])
    reader.wait(2)
    shop.patch_item("7", {"price": 3})  # a change that changes no order
    time.sleep(0.4)
    assert len(reader.lists) == 2
    shop._impressions.flush()
    rows = [row for block in shop._log.scan() if block.kind == "impressions" for row in block.rows]
    assert len(rows) - len(said) == 2
    assert {row["user_id"] for row in rows[len(said) :]} == {"ann"}
    reader.close()


def test_a_stream_that_is_left_is_forgotten(shop, served):
    url = served(shop)
    readers = [Reader(url, "ann") for _ in range(3)]
    for reader in readers:
        reader.wait(1)
        reader.close()
    until = time.monotonic() + 10
    while "inkling_streams 0" not in _metrics(url):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not shop._feed._heard


def test_a_server_that_stops_ends_its_streams(shop):
    import uvicorn

    from inkling.server import create_app
    from inkling.server.serve import protocol

    server = uvicorn.Server(uvicorn.Config(create_app(shop), log_config=None, ws="none", http=protocol()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        reader = Reader(f"http://127.0.0.1:{listener.getsockname()[1]}", "ann")
        reader.wait(1)
        before = time.monotonic()
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - before < 5
        reader.wait_end()
        reader.close()


def test_the_client_watches_and_comes_back_after_a_break(shop, served):
    with RemoteEngine(served(shop), patience=Patience(pause_s=0.01)) as remote:
        lists = remote.watch("ann", k=4)
        first = next(lists)
        remote.observe([{"user_id": "ann", "item_id": "2"}])
        second = next(lists)
        assert first.item_ids != second.item_ids
        assert second.item_ids == remote.recommend("ann", k=4).item_ids
        lists.close()
        with pytest.raises(RequestError, match="k is 0"):
            next(remote.watch("ann", k=0))

    async def watch(url):
        async with inkling.connect_async(url) as engine:
            async for answer in engine.watch("ann", k=4):
                return answer

    assert asyncio.run(watch(remote.url)).item_ids == second.item_ids


def test_a_wrong_question_is_refused_before_the_stream_begins(shop, served):
    reader = Reader(served(shop), "ann", k=0)
    assert reader.answer.status == 400
    reader.close()


def test_a_question_for_the_headers_only_opens_nothing(shop, served):
    url = served(shop)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("HEAD", "/v1/users/ann/stream")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.close()
    assert "inkling_streams 0" in _metrics(url)


class Plain:
    """An engine that cannot tell of changes: its version is looked at."""

    def __init__(self):
        self.version, self._ids = 0, itertools.count()

    def reading(self):
        from inkling.engine.base import ReadingStatus

        return ReadingStatus()

    def ask(self, question):
        from inkling.core.recommendation import Recommendation, RecommendedItem

        items = (RecommendedItem(f"item {self.version}", 1.0, "popular"),)
        return Recommendation(f"r{next(self._ids)}", items, self.version)


def test_an_engine_that_cannot_tell_is_looked_at():
    async def go():
        engine = Plain()
        hub = Hub(engine, Metrics())
        stream = hub.open(Ask(user_id="ann", k=1))
        await asyncio.wait_for(stream.changed.wait(), 5)
        first = stream.next()
        engine.version = 1
        await asyncio.wait_for(stream.changed.wait(), 5)
        second = stream.next()
        assert first[0] != second[0]
        hub.close(stream)
        hub.close(stream)
        assert len(hub) == 0

    asyncio.run(go())


def test_a_list_that_fails_spoils_no_other(shop, caplog):
    async def go():
        hub = Hub(shop, Metrics())
        good, bad = hub.open(Ask(user_id="ann")), hub.open(Ask(user_id="bob", language="tlh"))
        await asyncio.wait_for(good.changed.wait(), 10)
        assert good.next() is not None
        assert bad.next() is None
        hub.close(good)
        hub.close(bad)

    asyncio.run(go())
    assert "A list could not be computed" in caplog.text


def test_a_slow_reader_gets_the_newest_list_and_costs_one(shop):
    async def go():
        hub = Hub(shop, Metrics())
        stream = hub.open(Ask(user_id="ann", k=4))
        await asyncio.wait_for(stream.changed.wait(), 10)
        for item in "123":
            shop.observe([{"user_id": "ann", "item_id": item}])
            await asyncio.sleep(0.3)
        mark, _ = stream.next()
        assert mark == live.mark_of(shop.recommend("ann", k=4).item_ids)
        assert stream.next() is None
        hub.close(stream)

    asyncio.run(go())


def test_there_is_a_limit(shop):
    async def go():
        hub = Hub(shop, Metrics(), most=1)
        stream = hub.open(Ask(user_id="ann"))
        with pytest.raises(OverloadError, match="1 streams are open"):
            hub.open(Ask(user_id="bob"))
        hub.close(stream)

    asyncio.run(go())
