"""Who may call."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from inkling.core.errors import ConfigError
from inkling.server import create_app
from inkling.server.keys import is_loopback, parse_keys, require_keys


@pytest.fixture
def guarded(engine):
    with TestClient(create_app(engine, keys=["first-key", "second-key"])) as made:
        yield made


@pytest.mark.parametrize("key", ["first-key", "second-key"])
def test_a_known_key_opens(guarded, key):
    assert guarded.get("/v1/about", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert guarded.get("/v1/about", headers={"Authorization": f"bearer {key}"}).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer other", "Basic first-key", "first-key"])
def test_no_key_or_another_one_does_not(guarded, header):
    answer = guarded.get("/v1/about", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthorized"
    assert "first" not in answer.text


def test_only_data_needs_a_key(guarded):
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/console/", "/console/app.js"):
        assert guarded.get(path).status_code == 200
    for path in ("/metrics", "/v1/users", "/v1/items/0"):
        assert guarded.get(path).status_code == 401


def test_a_body_is_not_read_before_the_key(guarded):
    assert guarded.post("/v1/events", content=b"{not json").status_code == 401


def test_an_open_server_refuses_pages_of_other_sites(client):
    body = {"events": [{"user_id": "ann", "item_id": "1"}]}
    for origin in ("https://evil.example", "null", "http://testserver.evil"):
        answer = client.post("/v1/events", json=body, headers={"Origin": origin})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "cross_origin"
    assert client.post("/v1/events", json=body, headers={"Origin": "http://testserver"}).status_code == 202


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_loopback_is_open_without_keys(host):
    assert is_loopback(host)
    require_keys(host, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_other_addresses_need_keys(host):
    with pytest.raises(ConfigError, match=r"no key is configured.*INKLING_KEYS"):
        require_keys(host, ())
    require_keys(host, ("key",))


def test_keys_from_a_setting():
    assert parse_keys(" a, b,,c ") == ("a", "b", "c")
    assert parse_keys("") == ()
