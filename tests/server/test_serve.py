"""The server on a real socket, in a process and a thread of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from inkling.core.errors import ConfigError
from inkling.server.serve import serve

CHILD = """
import importlib.util, sys
from inkling.server.serve import serve
spec = importlib.util.spec_from_file_location("fake_engine", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
engine = module.FakeEngine()
engine.put_items([{"item_id": "1", "title": "red mug"}])
serve(engine, port=0, ready=lambda url: print(url, flush=True))
engine.close()
print("closed" if engine.closed else "left open", flush=True)
"""


@contextmanager
def child(tmp_path):
    """Yield a serving process and its port."""
    fake = os.path.join(os.path.dirname(__file__), "fake_engine.py")
    with subprocess.Popen([sys.executable, "-c", CHILD, fake], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            yield process, int(url.rpartition(":")[2])
        finally:
            if process.poll() is None:
                process.kill()


def call(port, method, path, body=None, headers=None):
    """Return status, headers and parsed answer of one call over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"null")
    finally:
        connection.close()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serves_and_returns_to_the_caller_on_a_signal(tmp_path, stop):
    with child(tmp_path) as (process, port):
        status, headers, answer = call(port, "POST", "/v1/recommend", {"user_id": "ann"})
        assert status == 200
        assert answer["items"][0]["item_id"] == "1"
        assert "server" not in {name.lower() for name in headers}
        process.send_signal(stop)
        assert process.stdout.readline().strip() == "closed"
        assert process.wait(10) == 0


@pytest.fixture
def port(engine):
    """A server in a thread; it ends when its main loop is told to, as a signal would."""
    import uvicorn

    from inkling.server import create_app

    config = uvicorn.Config(create_app(engine), port=0, log_config=None, ws="none")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


def test_ids_with_slashes_over_a_real_socket(port):
    assert call(port, "PUT", "/v1/items/a%2Fb", {"title": "slash"})[0] == 200
    assert call(port, "GET", "/v1/items/a%2Fb")[2] == {"item_id": "a/b", "title": "slash"}


def test_a_declared_body_over_the_limit_is_refused_before_it_is_sent(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n")
        answer = raw.recv(4000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"too_large"' in answer


def test_one_connection_serves_many_calls(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for n in range(20):
        connection.request("GET", "/healthz", headers={"X-Request-ID": f"r{n}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("x-request-id") == f"r{n}"
    connection.close()


def test_many_writers_at_once_lose_nothing(port, engine):
    before = engine.n_events
    bodies = [{"events": [{"user_id": f"u{n}", "item_id": "1"}]} for n in range(40)]
    threads = [threading.Thread(target=call, args=(port, "POST", "/v1/events", body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.n_events == before + 40


def test_a_taken_port_is_a_clear_error(engine):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is taken by another program"):
            serve(engine, port=port)


def test_an_impossible_address_is_a_clear_error(engine):
    with pytest.raises(ConfigError, match=r"Port 8080 of 203\.0\.113\.7 cannot be listened on"):
        serve(engine, "203.0.113.7", 8080, keys=["k"])


@pytest.mark.parametrize("port", [-1, 65_536])
def test_an_impossible_port_is_a_clear_error(engine, port):
    with pytest.raises(ConfigError, match="it must be from 0 to 65535"):
        serve(engine, port=port)


def test_other_addresses_need_keys(engine):
    with pytest.raises(ConfigError, match="no key is configured"):
        serve(engine, "0.0.0.0", 0)


def test_several_workers_are_refused(engine):
    with pytest.raises(ConfigError, match="workers is 2"):
        serve(engine, port=0, workers=2)
