"""Whatever comes in, the answer is a documented one: never a 500, always the one error shape."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkling.server.routes import ENDPOINTS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
KNOWN = [
    "user_id",
    "item_id",
    "session_id",
    "k",
    "events",
    "items",
    "users",
    "text",
    "filter",
    "history",
    "min_version",
]
BODY = JSON | st.dictionaries(st.sampled_from(KNOWN), JSON, max_size=5)
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None]
STREAM = "/v1/users/{id}/stream"  # an answer to it has no end: tests/server/test_live.py reads them
QUERIED = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.query is not None and endpoint.method == "GET" and endpoint.path != STREAM
]
CALM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def filled(path, word):
    """Return a path template with a word for each part."""
    return path.replace("{id}", quote(word, safe="")).replace("{item}", quote(word, safe=""))


def check(answer):
    """Fail unless the answer is one that the documentation knows."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"code", "message", "hint", "request_id"}


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda each: f"{each.method} {each.path}")
@CALM
@given(body=BODY)
def test_any_json(client, endpoint, body):
    check(client.request(endpoint.method, filled(endpoint.path, "0"), json=body))


@CALM
@given(raw=st.binary(max_size=64))
def test_any_bytes(client, raw):
    check(client.post("/v1/recommend", content=raw))


@pytest.mark.parametrize("endpoint", QUERIED, ids=lambda each: f"{each.method} {each.path}")
@CALM
@given(
    word=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    query=st.dictionaries(
        st.sampled_from(["k", "limit", "prefix", "id", "text", "x"]), st.text(max_size=5), max_size=3
    ),
)
def test_any_path_and_query(client, endpoint, word, query):
    check(client.get(filled(endpoint.path, word), params=query))


@CALM
@given(word=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), value=st.text(max_size=5))
def test_a_stream_that_is_asked_wrongly_never_begins(client, word, value):
    answer = client.get(filled(STREAM, word), params={"x": value})
    assert 400 <= answer.status_code < 500
    check(answer)
