"""One error shape for every route and status."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from inkling.core import errors as core
from inkling.server import create_app
from inkling.server.errors import STATUS_OF, error_response


def told(answer, status):
    """Return the error of an answer after a look at its shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def test_unknown_field_names_the_nearest_spelling(client):
    error = told(client.post("/v1/recommend", json={"usr_id": "ann"}), 400)
    assert "'usr_id'" in error["message"]
    assert "Did you mean 'user_id'?" in error["hint"]


def test_unknown_query_parameter_names_the_nearest_spelling(client):
    error = told(client.get("/v1/users?prefx=a"), 400)
    assert "'prefx'" in error["message"]
    assert "Did you mean 'prefix'?" in error["hint"]


def test_parameters_where_none_are_known(client):
    assert "'x'" in told(client.get("/v1/about?x=1"), 400)["message"]


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/v1/recommend", {"user_id": 7}, "'user_id'"),
        ("/v1/recommend", {"history": ["a", 3]}, "'history[1]'"),
        ("/v1/score", {"user_id": "a", "items": [None]}, "'items[0]'"),
        ("/v1/items", {"items": [{"item_id": "a"}, {"title": "b"}]}, "'items[1].item_id'"),
        ("/v1/items", {"items": [{"item_id": 5}]}, "'items[0].item_id'"),
        ("/v1/users", {"users": [{"user_id": ""}]}, "'users[0].user_id'"),
        ("/v1/items", {"items": [{"item_id": "a", "user_id": "ann"}]}, "'items[0].user_id'"),
        ("/v1/users", {"users": [{"user_id": "a", "session_id": "s"}]}, "'users[0].session_id'"),
        ("/v1/users/ann/merge", {"session_id": ""}, "'session_id'"),
        ("/v1/events", {"events": {}}, "'events'"),
        ("/v1/score", [], "The body"),
    ],
)
def test_a_wrong_value_names_its_place(client, path, body, place):
    assert place in told(client.post(path, json=body), 400)["message"]


def test_nested_attributes_are_refused_with_their_place(client):
    assert "expected" in told(client.put("/v1/items/a", json={"size": {"w": 1}}), 400)["message"].lower()


def test_a_query_value_of_the_wrong_type(client):
    assert "'k'" in told(client.get("/v1/items/0/similar?k=many"), 400)["message"]


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"k": NaN}', b'{"k":1}x', b'{"user_id":"\\ud800"}', b"nul"])
def test_malformed_json(client, raw):
    assert told(client.post("/v1/recommend", content=raw), 400)["code"] == "bad_json"


def test_nested_too_deeply(client):
    error = told(client.post("/v1/recommend", content=b'{"filter":{"all":' + b"[" * 200_000), 400)
    assert "nested" in error["message"]


def test_an_empty_body_tells_the_fields(client):
    assert "user_id" in told(client.post("/v1/recommend"), 400)["hint"]


def test_no_route_and_no_method(client):
    assert told(client.get("/v1/nothing"), 404)["code"] == "no_route"
    assert told(client.get("/v1/items/"), 404)["code"] == "no_route"
    answer = client.post("/v1/items/0", json={})
    assert told(answer, 405)["hint"] == "Allowed: DELETE, GET, HEAD, PATCH, PUT."
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


def test_unknown_item_and_version(client):
    assert told(client.get("/v1/items/none"), 404)["code"] == "not_found"
    assert (
        told(client.post("/v1/recommend", json={"user_id": "a", "min_version": 999}), 409)["code"] == "unknown_version"
    )


def test_ids_in_path_and_body_must_agree(client):
    assert "item_id" in told(client.put("/v1/items/a", json={"item_id": "b"}), 400)["message"]
    assert "user_id" in told(client.patch("/v1/users/ann", json={"user_id": "bob"}), 400)["message"]


def test_an_item_has_no_owner(client):
    assert "whose" in told(client.put("/v1/items/a", json={"user_id": "ann"}), 400)["message"]
    assert "whose" in told(client.patch("/v1/users/ann", json={"session_id": "s"}), 400)["message"]


@pytest.mark.parametrize("path", ["/v1/items/%ff", "/v1/users?prefix=%ff"])
def test_broken_percent_encoding(client, path):
    told(client.get(path), 400)


def test_a_body_over_the_limit(engine):
    with TestClient(create_app(engine, max_body_bytes=1000)) as client:
        error = told(client.post("/v1/events", content=b" " * 1001), 413)
        assert "1000 bytes" in error["message"]
        chunks = (b" " * 600 for _ in range(2))
        told(client.post("/v1/events", content=chunks), 413)
        assert client.post("/v1/events", content=b'{"events":[]}' + b" " * 980).status_code == 202


@pytest.mark.parametrize("kind", list(STATUS_OF))
def test_each_error_of_the_house_has_its_status(client, engine, kind):
    engine.fail_with = kind("It went wrong.", hint="Do this.")
    answer = client.post("/v1/recommend", json={"user_id": "ann"})
    error = told(answer, STATUS_OF[kind])
    assert (error["code"], error["message"], error["hint"]) == (kind.code, "It went wrong.", "Do this.")


def test_an_error_of_the_house_without_a_status_is_ours(client, engine):
    engine.fail_with = core.BundleError("The bundle is damaged.")
    assert told(client.post("/v1/recommend", json={"user_id": "ann"}), 500)["code"] == "bad_bundle"


def test_an_unexpected_failure_tells_nothing_of_itself_but_is_logged(client, engine, caplog):
    engine.fail_with = RuntimeError("secret path")
    error = told(client.post("/v1/recommend", json={"user_id": "ann"}), 500)
    assert error["code"] == "internal"
    assert "secret" not in str(error)
    assert "secret path" in caplog.text


def test_request_ids_come_back_or_are_made(client):
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/none", headers={"X-Request-ID": "abc-2"}).json()["error"]["request_id"] == "abc-2"
    for bad in ("has blank", "x" * 129, ""):
        made = client.get("/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert made != bad
        assert len(made) == 16


def test_other_http_errors_keep_the_shape():
    from starlette.exceptions import HTTPException

    response = error_response(HTTPException(418, "short and stout"), "r1")
    assert response.status_code == 418
    assert b'"short and stout"' in response.body
