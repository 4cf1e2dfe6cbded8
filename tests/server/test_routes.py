"""Every call of the wire, against a toy shop."""

from __future__ import annotations

import threading

import pytest


def test_events_are_accepted_durably_and_change_the_next_answer(client, engine):
    before = client.post("/v1/recommend", json={"user_id": "ann", "k": 3}).json()
    answer = client.post(
        "/v1/events",
        json={"events": [{"user_id": "ann", "item_id": "5", "event": "purchase"}, {"user_id": "ann"}, 7]},
    )
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 1
    assert [row["index"] for row in body["rejected"]] == [1, 2]
    assert body["version"] == engine.version
    after = client.post("/v1/recommend", json={"user_id": "ann", "k": 3, "min_version": body["version"]}).json()
    assert after["version"] >= body["version"]
    assert [line["item_id"] for line in after["items"]] != [line["item_id"] for line in before["items"]]


def test_durable_writes_leave_the_event_loop(client, engine):
    client.post("/v1/events", json={"events": [{"user_id": "ann", "item_id": "5"}]})
    client.put("/v1/items/new", json={"title": "new"})
    loop_threads = {thread.ident for thread in threading.enumerate() if "AnyIO" not in thread.name}
    assert engine.writer_threads
    assert not engine.writer_threads & loop_threads


def test_recommend_passes_the_whole_question(client, engine):
    asked = {
        "session_id": "s1",
        "k": 2,
        "text": "tea",
        "history": ["0"],
        "candidates": ["2", "3"],
        "exclude": ["9"],
        "filter": {"all": [{"field": "title", "op": "contains", "value": "tea"}]},
        "context": {"device": "phone"},
        "budget_ms": 50_000,
        "min_version": 1,
        "explain": True,
        "language": "zh",
    }
    answer = client.post("/v1/recommend", json=asked).json()
    seen = engine.asked[-1]
    assert (seen.session_id, seen.k, seen.text, seen.history, seen.candidates) == ("s1", 2, "tea", ("0",), ("2", "3"))
    assert (seen.exclude, seen.context, seen.language) == (("9",), {"device": "phone"}, "zh")
    assert 0 < seen.budget_ms <= 50_000
    assert {line["item_id"] for line in answer["items"]} == {"2", "3"}
    assert set(answer) == {
        "recommendation_id",
        "items",
        "version",
        "bundle",
        "arm",
        "timings_ms",
        "left_out",
        "cursor",
        "understood",
    }
    assert answer["items"][0]["reason"]["contributions"]


def test_short_form_by_user(client, engine):
    answer = client.get("/v1/users/ann/recommendations?k=3&explain=true&language=zh")
    assert len(answer.json()["items"]) == 3
    assert engine.asked[-1].explain
    assert engine.asked[-1].language == "zh"


@pytest.mark.parametrize(
    ("header", "body", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", {}, "zh"),
        ("zh-CN", {"language": "en"}, "en"),
        ("zh-CN", {"context": {"language": "en-GB"}}, ""),
        ("zh-CN", {"context": {"language": "fr"}}, "zh"),
        ("fr", {}, ""),
        (None, {}, ""),
    ],
)
def test_the_browsers_language_counts_where_the_question_says_none(client, engine, header, body, language):
    headers = {} if header is None else {"accept-language": header}
    client.post("/v1/recommend", json={"user_id": "ann"} | body, headers=headers)
    assert engine.asked[-1].language == language
    client.get("/v1/users/ann/recommendations", headers=headers)
    assert engine.asked[-1].language == ("zh" if header and "zh" in header else "")


def test_questions_for_a_new_person_follow_their_answers(client):
    first = client.post("/v1/onboarding", json={}).json()
    assert first["history"] == []
    assert first["question"]["none"] == "None of these"
    chosen = first["question"]["options"][1]["item_ids"]
    told = client.post("/v1/onboarding", json={"answers": [1]}, headers={"Accept-Language": "zh-CN,en;q=0.5"}).json()
    assert told["history"] == chosen
    assert told["question"]["none"] == "都不是"
    assert client.post("/v1/onboarding", json={"answers": [1, -1]}).json() == {"question": None, "history": chosen}
    assert client.post("/v1/onboarding", json={"answers": ["red"]}).status_code == 400


def test_score_and_similar(client):
    assert len(client.post("/v1/score", json={"user_id": "ann", "items": ["0", "1"]}).json()["scores"]) == 2
    near = client.get("/v1/items/0/similar?k=2").json()["items"]
    assert {line["item_id"] for line in near} == {"2", "3"}
    assert client.get("/v1/items/none/similar").status_code == 404


def test_item_life(client):
    assert (
        client.put("/v1/items/mug", json={"title": "mug", "categories": ["a", "b"], "price": 3}).json()["version"] > 0
    )
    assert client.get("/v1/items/mug").json() == {
        "item_id": "mug",
        "title": "mug",
        "categories": ["a", "b"],
        "price": 3,
    }
    client.patch("/v1/items/mug", json={"price": 4})
    assert client.get("/v1/items/mug").json()["price"] == 4
    assert "version" in client.delete("/v1/items/mug").json()
    assert client.get("/v1/items/mug").status_code == 404


def test_items_in_bulk_and_search(client):
    client.post("/v1/items", json={"items": [{"item_id": "x1", "title": "tall vase"}, {"item_id": "x2"}]})
    assert [row["item_id"] for row in client.get("/v1/items?text=VASE").json()["items"]] == ["x1"]
    found = client.get("/v1/items?id=x2&id=gone&id=x1").json()["items"]
    assert [row["item_id"] for row in found] == ["x2", "x1"]


def test_user_life(client, engine):
    client.put("/v1/users/dan", json={"about": "likes tea"})
    client.patch("/v1/users/dan", json={"city": "Oslo"})
    assert client.get("/v1/users/dan").json() == {"user_id": "dan", "about": "likes tea", "city": "Oslo", "n_events": 0}
    client.post("/v1/users", json={"users": [{"user_id": "eve"}, {"user_id": "eva"}]})
    assert client.get("/v1/users?prefix=ev").json() == {"users": ["eva", "eve"]}
    client.post("/v1/events", json={"events": [{"session_id": "s9", "item_id": "1"}]})
    client.post("/v1/users/dan/merge", json={"session_id": "s9"})
    assert client.get("/v1/users/dan/history").json()["events"][0]["item_id"] == "1"
    receipt = client.delete("/v1/users/dan").json()
    assert receipt == {"user_id": "dan", "version": engine.version, "removed": {"log": 1, "users": 1}}
    assert client.get("/v1/users/dan").status_code == 404


def test_history_is_newest_first_and_limited(client):
    events = client.get("/v1/users/ann/history?limit=2").json()
    assert events["user_id"] == "ann"
    assert [event["item_id"] for event in events["events"]] == ["3", "2"]


def test_explain_tells_features(client):
    told = client.get("/v1/users/ann/explain/2").json()
    assert told["item_id"] == "2"
    assert told["features"]["popular"] > 0


def test_about_and_health(client, engine):
    assert client.get("/v1/about").json()["target_event"] == "purchase"
    assert client.get("/healthz").json() == {"status": "alive", "version": engine.version}
    assert client.get("/readyz").json() == {"status": "ready", "version": engine.version}


def test_not_ready_says_so(client, engine):
    def broken():
        raise RuntimeError("no disk")

    engine.about = broken
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "not_ready"


@pytest.mark.parametrize("item_id", ["a/b", "ключ", "100%", "a b?c#d", "..", "猫"])
def test_any_id_may_stand_in_a_path(client, item_id):
    from urllib.parse import quote

    path = f"/v1/items/{quote(item_id, safe='').replace('.', '%2E')}"
    assert client.put(path, json={"title": "odd"}).status_code == 200
    assert client.get(path).json()["item_id"] == item_id
    assert client.get(f"{path}/similar").status_code == 200


def test_console_is_served_and_nothing_beside_it(client):
    page = client.get("/")
    assert page.url.path == "/console/"
    assert "text/html" in page.headers["content-type"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    script = client.get("/console/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = client.get("/console/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    for outside in ("/console/..%2F__init__.py", "/console/%2e%2e%2fserver%2fapp.py", "/console/none.js"):
        assert client.get(outside).json()["error"]["code"] == "no_route"
    assert client.get("/console", follow_redirects=False).headers["location"] == "console/"


def test_head_answers_like_get(client):
    answer = client.head("/v1/items/0")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0
