"""The server before the engine it is made for, on a real socket: what a person does, and whatever may come in."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inkling
from inkling.server import create_app
from inkling.server.routes import ENDPOINTS

TITLES = {"1": "red mug", "2": "blue mug", "3": "tea pot", "4": "green tea", "5": "desk lamp", "6": "a/b vase"}
PLACES = ["电影", "旅游", "运动", "美食", "音乐"]


class Wire:
    """One connection to a server."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __call__(self, method, path, body=None, *, expect=None):
        self.connection.request(method, path, body=None if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        status, content = answer.status, json.loads(answer.read() or b"null")
        assert expect is None or status == expect, content
        return content if expect else (status, content)


@pytest.fixture(scope="module")
def wire():
    import uvicorn

    engine = inkling.open("memory://")
    server = uvicorn.Server(uvicorn.Config(create_app(engine), log_config=None, ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    call = Wire(listener.getsockname()[1])
    rows = [{"item_id": key, "title": title, "price": float(key)} for key, title in TITLES.items()]
    call(
        "POST",
        "/v1/items?wait=60",
        {"items": [*rows, *({"item_id": word, "title": word} for word in PLACES)]},
        expect=200,
    )
    acts = [("ann", "1"), ("ann", "3"), ("bob", "2"), ("bob", "3"), ("cat", "4"), ("cat", "3"), ("dan", "5")]
    events = [{"user_id": user, "item_id": item, "event": "interaction"} for user, item in acts]
    assert call("POST", "/v1/events", {"events": events}, expect=202)["accepted"] == len(acts)
    yield call
    call.connection.close()
    server.should_exit = True
    thread.join(10)
    listener.close()
    engine.close()


def ids(answer):
    return [line["item_id"] for line in answer["items"]]


def test_an_event_changes_the_very_next_answer(wire):
    question = {"user_id": "new", "k": 3, "history": None, "session_id": "s"}
    before = wire("POST", "/v1/recommend", question, expect=200)
    told = wire("POST", "/v1/events", {"events": [{"user_id": "new", "item_id": "1"}]}, expect=202)
    after = wire("POST", "/v1/recommend", {**question, "min_version": told["version"]}, expect=200)
    assert after["version"] >= told["version"]
    assert after["recommendation_id"] != before["recommendation_id"]
    assert ids(after) != ids(before)
    past = wire("GET", "/v1/users/new/history", expect=200)["events"]
    assert [event["item_id"] for event in past] == ["1"]


def test_a_sentence_finds_what_it_names(wire):
    question = {"text": "我喜欢看电影和旅游", "k": 2, "candidates": PLACES, "language": "zh", "explain": True}
    answer = wire("POST", "/v1/recommend", question, expect=200)
    assert set(ids(answer)) == {"电影", "旅游"}
    assert all(line["reason"]["text"] for line in answer["items"])


def test_a_filter_and_an_exclusion_hold(wire):
    question = {
        "user_id": "ann",
        "filter": {"all": [{"field": "title", "op": "contains", "value": "mug"}]},
        "exclude": ["2"],
    }
    assert set(ids(wire("POST", "/v1/recommend", question, expect=200))) <= {"1"}
    bad = {"user_id": "ann", "filter": {"all": [{"field": "title", "op": "like", "value": "mug"}]}}
    assert wire("POST", "/v1/recommend", bad, expect=400)["error"]["code"] == "bad_request"


def test_before_anything_was_learned_there_are_no_questions_for_new_people(wire):
    told = wire("POST", "/v1/onboarding", {}, expect=400)["error"]
    assert "nothing was learned yet" in told["message"]


def test_similar_score_explain_and_search(wire):
    assert "1" not in ids(wire("GET", "/v1/items/1/similar?k=3", expect=200))
    scores = wire("POST", "/v1/score", {"user_id": "ann", "items": ["1", "5"]}, expect=200)["scores"]
    assert len(scores) == 2
    told = wire("GET", "/v1/users/ann/explain/2", expect=200)
    assert told["item_id"] == "2"
    assert {row["item_id"] for row in wire("GET", "/v1/items?text=mug", expect=200)["items"]} == {"1", "2"}
    assert "ann" in wire("GET", "/v1/users?prefix=an", expect=200)["users"]
    assert wire("GET", "/v1/users/ann", expect=200)["n_events"] == 2


def test_a_new_item_is_there_at_once_and_a_deleted_one_gone(wire):
    wire("PUT", "/v1/items/x%2Fy", {"title": "striped mug"}, expect=200)
    only = {"user_id": "ann", "candidates": ["x/y"], "k": 1}
    assert ids(wire("POST", "/v1/recommend", only, expect=200)) == ["x/y"]
    wire("PATCH", "/v1/items/x%2Fy", {"price": 2}, expect=200)
    assert wire("GET", "/v1/items/x%2Fy", expect=200)["price"] == 2
    wire("DELETE", "/v1/items/x%2Fy", expect=200)
    assert ids(wire("POST", "/v1/recommend", only, expect=200)) == []
    assert wire("GET", "/v1/items/x%2Fy", expect=404)["error"]["code"] == "not_found"


def test_a_person_is_erased(wire):
    wire("POST", "/v1/events", {"events": [{"user_id": "gone", "item_id": "1"}]}, expect=202)
    receipt = wire("DELETE", "/v1/users/gone", expect=200)
    assert receipt["removed"]["log"] >= 1
    assert wire("GET", "/v1/users/gone", expect=404)["error"]["code"] == "not_found"
    assert wire("GET", "/v1/users/gone/history", expect=200)["events"] == []


def test_a_session_becomes_a_person(wire):
    wire("POST", "/v1/events", {"events": [{"session_id": "visit-1", "item_id": "4"}]}, expect=202)
    wire("POST", "/v1/users/eve/merge", {"session_id": "visit-1"}, expect=200)
    assert [event["item_id"] for event in wire("GET", "/v1/users/eve/history", expect=200)["events"]] == ["4"]


def test_bad_rows_have_their_reasons_and_good_ones_go_on(wire):
    rows = [{"user_id": "ann", "item_id": "1", "vlaue": 3}, {"item_id": "1"}, {"user_id": "zoe", "item_id": "1"}, 5]
    told = wire("POST", "/v1/events", {"events": rows}, expect=202)
    assert told["accepted"] == 1
    reasons = {row["index"]: row["reason"] for row in told["rejected"]}
    assert set(reasons) == {0, 1, 3}
    assert "Did you mean 'value'?" in reasons[0]


@pytest.mark.parametrize("k", [0, -1, 1_000_000, 10**30])
def test_an_impossible_k_is_refused(wire, k):
    assert wire("POST", "/v1/recommend", {"user_id": "ann", "k": k}, expect=400)["error"]["code"] == "bad_request"


def test_an_unknown_person_is_answered_and_an_unknown_version_is_not(wire):
    assert ids(wire("POST", "/v1/recommend", {"user_id": "nobody-knows"}, expect=200))
    error = wire("POST", "/v1/recommend", {"user_id": "ann", "min_version": 10**12}, expect=409)["error"]
    assert error["code"] == "unknown_version"


def test_about_says_what_is_served(wire):
    about = wire("GET", "/v1/about", expect=200)
    assert about["target_event"] in about["events"]
    assert about["n_items"] >= 11


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(["ann", "1", "3", "none"])
ASK = st.fixed_dictionaries(
    {"user_id": WORDS},
    optional={
        "k": st.integers(-2, 2000) | st.integers(),
        "text": st.text(max_size=12),
        "history": st.lists(WORDS | st.text(max_size=4), max_size=4),
        "candidates": st.lists(WORDS, max_size=4),
        "exclude": st.lists(WORDS, max_size=4),
        "filter": st.dictionaries(st.sampled_from(["all", "any", "x"]), JSON, max_size=2)
        | st.fixed_dictionaries(
            {
                "all": st.lists(
                    st.fixed_dictionaries(
                        {
                            "field": st.sampled_from(["title", "price", "none"]),
                            "op": st.sampled_from(["eq", "ne", "in", "lt", "gte", "contains", "x"]),
                            "value": JSON,
                        }
                    ),
                    max_size=2,
                )
            }
        ),
        "context": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
        "min_version": st.integers(),
        "cursor": st.text(max_size=4),
        "budget_ms": st.floats(allow_nan=False, allow_infinity=False),
        "explain": st.booleans(),
    },
)
EVENT = st.fixed_dictionaries(
    {}, optional={name: JSON | WORDS for name in ("user_id", "item_id", "timestamp", "value")}
)
CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(told):
    status, content = told
    assert status < 500 or content["error"]["code"] == "overloaded", content
    if status >= 400:
        assert set(content["error"]) == {"code", "message", "hint", "request_id"}


@CALM
@given(body=ASK)
def test_any_question_has_a_documented_answer(wire, body):
    check(wire("POST", "/v1/recommend", body))


@CALM
@given(events=st.lists(EVENT | JSON, max_size=4))
def test_any_events_have_a_documented_answer(wire, events):
    check(wire("POST", "/v1/events", {"events": events}))


WRITES = [each for each in ENDPOINTS if each.body is not None and each.path not in ("/v1/recommend", "/v1/events")]


@pytest.mark.parametrize("endpoint", WRITES, ids=lambda each: f"{each.method} {each.path}")
@settings(CALM, max_examples=25)
@given(
    body=st.dictionaries(st.sampled_from(["user_id", "title", "price", "categories", "items", "users"]), JSON),
    word=WORDS,
)
def test_any_write_has_a_documented_answer(wire, endpoint, body, word):
    check(wire(endpoint.method, endpoint.path.replace("{id}", quote(word)), body))


@CALM
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["title", "price", "categories", "new"]), JSON, max_size=3), max_size=3
    )
)
def test_any_rows_have_a_documented_answer_and_the_next_question_too(wire, rows):
    check(wire("POST", "/v1/items", {"items": [{**row, "item_id": f"h{n}"} for n, row in enumerate(rows)]}))
    status, content = wire("POST", "/v1/recommend", {"user_id": "ann", "k": 20, "explain": True})
    assert status == 200, content


def test_profiles_are_read_and_written(wire):
    told = wire("GET", "/v1/users/bob/profile?language=zh", expect=200)
    assert told["user_id"] == "bob"
    assert "最爱" in told["text"]
    version = wire("PATCH", "/v1/users/bob/profile", {"about": "I drink tea"}, expect=200)["version"]
    assert wire("GET", "/v1/users/bob", expect=200)["about"] == "I drink tea"
    answer = wire("POST", "/v1/recommend", {"user_id": "bob", "min_version": version}, expect=200)
    assert answer["version"] >= version
    wire("PUT", "/v1/items/own", {"title": "own mug"}, expect=200)
    assert wire("GET", "/v1/items/own/profile", expect=200)["title"] == "own mug"
    wire("PATCH", "/v1/items/own/profile", {"summary": "A mug."}, expect=200)
    assert wire("GET", "/v1/items/own/profile", expect=200)["summary"] == "A mug."
    assert wire("GET", "/v1/users/nobody-knows/profile", expect=404)["error"]["code"] == "not_found"
    error = wire("PATCH", "/v1/users/bob/profile", {"n_events": 5}, expect=400)["error"]
    assert "cannot be changed" in error["message"]


def test_how_far_the_reader_is_is_measured(wire):
    wire("POST", "/v1/items?wait=30", {"items": [{"item_id": "wait-1", "title": "umbrella"}]}, expect=200)
    wire.connection.request("GET", "/metrics")
    text = wire.connection.getresponse().read().decode()
    assert "inkling_unread_items 0" in text
    assert "inkling_reading_lag_seconds 0" in text
    assert "read" not in wire("PUT", "/v1/items/wait-2", {"title": "parasol"}, expect=200)
    assert wire("PUT", "/v1/items/wait-2?wait=-1", {"title": "parasol"}, expect=400)["error"]["code"] == "bad_request"
