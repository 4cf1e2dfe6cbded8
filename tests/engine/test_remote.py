"""The engine on another machine: what is sent again and what is not, errors as they are here, one key, many threads."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

import inkling
from inkling.core.errors import (
    AccessError,
    ConfigError,
    InklingError,
    NotFoundError,
    OverloadError,
    RequestError,
    StoreError,
    UnavailableError,
    VersionError,
)
from inkling.engine import _remote_calls as calls
from inkling.engine import _remote_sending
from inkling.engine.base import Engine
from inkling.engine.remote import AsyncEngine, Patience, RemoteEngine

URL = "http://shop:8080"
QUICK = Patience(pause_s=0.001, timeout_s=2.0)


class Server:
    """A server made of a list of things that happen, the last one again and again."""

    def __init__(self, *steps):
        self.steps, self.seen = list(steps), []

    def __call__(self, request):
        self.seen.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def bodies(self):
        return [json.loads(request.content) for request in self.seen]


def to(*steps, patience=QUICK, **more):
    server = Server(*steps)
    return server, RemoteEngine(URL, patience=patience, transport=httpx2.MockTransport(server), **more)


def good(**body):
    return httpx2.Response(200, json=body)


def bad(status, code, **headers):
    told = {"code": code, "message": "No.", "hint": "Perhaps.", "request_id": "r7"}
    return httpx2.Response(status, json={"error": told}, headers=headers)


LOST = httpx2.ReadError("gone")
CLOSED = httpx2.ConnectError("refused")
TAKEN = {"accepted": 1, "rejected": [], "version": 9}


def test_both_engines_have_every_verb_of_the_contract_with_its_signature():
    verbs = [name for name in vars(Engine) if not name.startswith("_")]
    assert len(verbs) > 25
    for name in verbs:
        want = inspect.getattr_static(inkling.Engine, name)
        for kind in (RemoteEngine, AsyncEngine):
            made = inspect.getattr_static(kind, name)
            if not isinstance(want, property):
                assert list(inspect.signature(made).parameters) == list(inspect.signature(want).parameters), name
            elif kind is RemoteEngine:
                assert isinstance(made, property)


def test_an_event_keeps_its_id_when_it_is_sent_again():
    server, engine = to(LOST, bad(503, "store"), httpx2.Response(202, json=TAKEN))
    assert engine.observe([{"user_id": "ann", "item_id": "1"}]) == 9
    first, second, third = server.bodies
    assert first == second == third
    assert len(first["events"][0]["event_id"]) == 32
    assert "timestamp" not in first["events"][0]


def test_an_event_id_and_a_time_that_are_given_are_sent_as_they_are():
    server, engine = to(httpx2.Response(202, json=TAKEN))
    engine.observe([{"user_id": "ann", "item_id": 5, "event_id": "e1", "timestamp": "1970-01-02"}])
    row = server.bodies[0]["events"][0]
    assert row == {
        "event": "interaction",
        "user_id": "ann",
        "item_id": "5",
        "event_id": "e1",
        "timestamp": "1970-01-02",
    }


def test_bad_events_are_told_where_they_were_and_the_good_ones_go():
    answer = {"accepted": 1, "rejected": [{"index": 1, "reason": "too old"}], "version": 9}
    server, engine = to(httpx2.Response(202, json=answer))
    rows = [{"x": 1}, {"user_id": "ann", "item_id": "1"}, 5, {"user_id": "bob", "item_id": "1"}]
    told = engine.ingest(rows)
    assert [row.index for row in told.rejected] == [0, 2, 3]
    assert told.accepted == 1
    assert len(server.bodies[0]["events"]) == 2
    with pytest.raises(RequestError, match="event 0: unknown field 'x'"):
        engine.observe(rows)
    assert len(server.seen) == 1
    with pytest.raises(RequestError, match=r"event 1: too old .*1 others were taken"):
        engine.observe([rows[1], rows[3]])


def test_large_batches_go_in_blocks(monkeypatch):
    monkeypatch.setattr(calls, "MOST_ROWS", 2)
    server, engine = to(good(version=3), good(version=5), good(version=6))
    assert engine.put_items([{"item_id": str(n)} for n in range(5)]) == 6
    assert [len(body["items"]) for body in server.bodies] == [2, 2, 1]
    monkeypatch.setattr(calls, "MOST_BYTES", 40)
    server, engine = to(good(version=3))
    engine.put_users([{"user_id": "u" * 30} for _ in range(3)])
    assert [len(body["users"]) for body in server.bodies] == [1, 1, 1]


def test_what_a_server_refuses_in_a_later_block_is_told_where_it_was(monkeypatch):
    monkeypatch.setattr(calls, "MOST_ROWS", 2)
    refused = {"accepted": 1, "rejected": [{"index": 1, "reason": "no"}], "version": 9}
    _, engine = to(httpx2.Response(202, json={**TAKEN, "accepted": 2}), httpx2.Response(202, json=refused))
    rows = [{"x": 1}, *({"user_id": f"u{n}", "item_id": "1"} for n in range(4))]
    told = engine.ingest(rows)
    assert [row.index for row in told.rejected] == [0, 4]
    assert told.accepted == 3


def test_an_empty_batch_is_one_call():
    server, engine = to(good(version=4))
    assert engine.put_items([]) == 4
    assert server.bodies == [{"items": []}]


@pytest.mark.parametrize("verb", ["erase", "delete_item"])
def test_what_may_not_be_done_twice_is_not_sent_again_once_it_was_sent(verb):
    server, engine = to(LOST, good(version=1))
    with pytest.raises(UnavailableError, match="does not answer"):
        getattr(engine, verb)("1")
    assert len(server.seen) == 1
    server, engine = to(bad(503, "store"), good(version=1))
    with pytest.raises(StoreError, match="No"):
        getattr(engine, verb)("1")
    server, engine = to(CLOSED, bad(503, "overloaded"), good(version=1, user_id="1", removed={}))
    getattr(engine, verb)("1")
    assert len(server.seen) == 3


def test_a_server_that_is_away_is_a_clear_error():
    server, engine = to(CLOSED)
    with pytest.raises(UnavailableError, match=r"http://shop:8080 does not answer in 4 tries .*Is it running"):
        engine.recommend("ann")
    assert len(server.seen) == 4


def test_a_server_that_is_away_on_a_real_socket():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with (
        inkling.connect(f"http://127.0.0.1:{port}", retries=0) as engine,
        pytest.raises(UnavailableError, match="does not answer"),
    ):
        engine.about()


def test_a_server_that_breaks_off_is_asked_again(served):
    """The first connection is cut in the middle of the answer, the next one is answered."""
    with inkling.open("memory://") as local:
        local.put_items([{"item_id": "1", "title": "mug"}])
        port = int(served(local).rpartition(":")[2])
        with socket.create_server(("127.0.0.1", 0)) as front:
            thread = threading.Thread(target=_breaking, args=(front, port))
            thread.start()
            engine = RemoteEngine(
                f"http://127.0.0.1:{front.getsockname()[1]}", patience=Patience(pause_s=0.001, timeout_s=30.0)
            )
            assert engine.observe([{"user_id": "ann", "item_id": "1"}]) == 2
            assert len(engine.history("ann")) == 1
            engine.close()
            thread.join(5)


def _breaking(front, port):
    """Pass connections on: the answer to the first is swallowed, the second goes through whole."""
    for turn in range(2):
        inside, _ = front.accept()
        with inside, socket.create_connection(("127.0.0.1", port)) as outside:
            if turn == 0:  # what is asked may come in several pieces
                asked = threading.Thread(target=_pump, args=(inside, outside))
                asked.start()
                outside.recv(65536)
                inside.shutdown(socket.SHUT_RDWR)
                asked.join(5)
                continue
            back = threading.Thread(target=_pump, args=(outside, inside))
            back.start()
            _pump(inside, outside)
            outside.shutdown(socket.SHUT_RDWR)
            back.join(5)


def _pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)


def test_a_busy_server_is_asked_again_after_the_time_it_names(monkeypatch):
    server, engine = to(bad(503, "overloaded", **{"Retry-After": "1"}), good(version=4))
    slept = []
    monkeypatch.setattr(_remote_sending.time, "sleep", slept.append)
    assert engine.version == 4
    assert slept == [1.0]
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "bad_request", RequestError),
        (400, "bad_json", RequestError),
        (400, "bad_cursor", RequestError),
        (401, "unauthorized", AccessError),
        (404, "not_found", NotFoundError),
        (409, "unknown_version", VersionError),
        (503, "store", StoreError),
        (503, "overloaded", OverloadError),
        (500, "internal", InklingError),
    ],
)
def test_an_error_of_the_wire_is_the_error_that_it_was(status, code, kind):
    _, engine = to(bad(status, code), patience=Patience(retries=0))
    with pytest.raises(kind, match=r"No\. Perhaps\.") as caught:
        engine.about()
    assert type(caught.value) is kind or code == "bad_cursor"
    assert (caught.value.code, caught.value.message, caught.value.hint) == (code, "No.", "Perhaps.")
    assert "r7" in caught.value.__notes__[0]


def test_an_answer_of_somebody_else_is_a_clear_error():
    _, engine = to(httpx2.Response(502, text="<html>bad gateway"), patience=Patience(retries=0))
    with pytest.raises(UnavailableError, match="answered 502, and not in the form of an Inkling server"):
        engine.about()
    _, engine = to(httpx2.Response(404, text="nothing here"))
    with pytest.raises(InklingError, match="answered 404, and not in the form"):
        engine.about()
    _, engine = to(httpx2.Response(200, text="hello"))
    with pytest.raises(InklingError, match="gave an answer of another form"):
        engine.recommend("ann")


def test_a_question_is_checked_before_it_is_sent():
    server, engine = to(good())
    with pytest.raises(RequestError, match="unknown field `kk`"):
        engine.recommend("ann", kk=3)
    with pytest.raises(RequestError, match="The id is empty"):
        engine.get_item("")
    with pytest.raises(RequestError, match="it cannot be sent"):
        engine.patch_item("1", {"x": object()})
    assert not server.seen


def test_the_key_is_sent_and_may_come_from_the_environment(monkeypatch):
    server, engine = to(good(version=1), key="secret")
    assert engine.version == 1
    assert server.seen[0].headers["authorization"] == "Bearer secret"
    monkeypatch.setenv("INKLING_KEY", "other")
    server, engine = to(good(version=1))
    assert engine.version == 1
    assert server.seen[0].headers["authorization"] == "Bearer other"
    with pytest.raises(ConfigError, match="characters that no header can carry"):
        to(good(), key="a\nb")


@pytest.mark.parametrize(
    "url", ["http://", "ftp://shop", "http://a:b@shop", "http://shop/?x=1", "http://shop:0", "shop"]
)
def test_an_address_that_is_none(url):
    with pytest.raises(ConfigError, match="is no address of a server"):
        inkling.connect(url)


def test_a_server_has_its_own_bundle(tmp_path):
    with pytest.raises(ConfigError, match="has its own bundle"):
        inkling.open(URL, bundle=tmp_path)


def test_a_key_opens_the_server(served):
    with inkling.open("memory://") as local:
        url = served(local, keys=["k1"])
        with inkling.connect(url, key="k1") as engine:
            assert engine.about()["n_items"] == 0
        with inkling.open(url) as engine, pytest.raises(AccessError, match="carries no key"):
            engine.about()


def test_many_threads_share_one_engine_and_nothing_is_lost_or_doubled(served):
    with inkling.open("memory://") as local:
        local.put_items([{"item_id": "1", "title": "mug"}])
        with inkling.open(served(local)) as engine, ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: engine.observe([{"user_id": f"u{n}", "item_id": "1"}]), range(60)))
            assert engine.about()["n_events"] == 60
            people = [f"u{n}" for n in range(30)]
            answers = engine.recommend(people, k=1)
            assert len({answer.id for answer in answers}) == 30


def test_the_same_with_await(served):
    with inkling.open("memory://") as local:
        url = served(local)
        asyncio.run(_awaited(url, local))


async def _awaited(url, local):
    async with inkling.connect_async(url) as engine:
        assert await engine.put_items([{"item_id": "1", "title": "red mug"}, {"item_id": "2", "title": "pot"}]) == 2
        assert await engine.read_all()
        assert await engine.observe([{"user_id": "ann", "item_id": "1"}]) == 3
        ours = await engine.recommend(["ann", "bob"], k=2)
        assert [one.items for one in ours] == [one.items for one in local.recommend(["ann", "bob"], k=2)]
        assert (await engine.similar("1", k=1)).items == local.similar("1", k=1).items
        assert await engine.score("ann", ["1", "2"]) == local.score("ann", ["1", "2"])
        with pytest.raises(NotFoundError, match="There is no item '9'"):
            await engine.get_item("9")
        assert (await engine.erase("ann")).removed["state"] == 1
        assert (await engine.ingest([{"x": 1}])).rejected[0].index == 0
        assert await engine.version() == local.version
    lost = AsyncEngine(URL, patience=QUICK, transport=httpx2.MockTransport(Server(LOST, good(version=8))))
    assert await lost.version() == 8
    away = AsyncEngine(URL, patience=QUICK, transport=httpx2.MockTransport(Server(CLOSED)))
    with pytest.raises(UnavailableError, match="in 4 tries"):
        await away.about()
