"""A follow-up changes the list: in the library, over the wire and on the command line; toy and real things."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest

import inkling
from inkling import datasets
from inkling.core.errors import NotFoundError, RequestError
from inkling.engine.base import Ask
from inkling.privacy.door import Privacy

DAY = 86_400
SHELF = [
    ("red mug", 4.95, ["kitchen"], "Acme"),
    ("blue mug", 12.0, ["kitchen"], "Bolt"),
    ("tea pot", 20.0, ["kitchen"], "Acme"),
    ("green tea", 3.0, ["food"], "Leaf"),
    ("desk lamp", 30.0, ["light"], "Bolt"),
    ("paper lantern", 6.0, ["Light"], "Acme"),
    ("garden lantern", 15.0, ["light", "Horror"], "Leaf"),
    ("bored red panda", None, ["toys"], None),
]
ROWS = [
    {
        "item_id": str(n),
        "title": title,
        "price": price,
        "categories": kinds,
        "brand": brand,
        "created_at": (n + 1) * DAY,
    }
    for n, (title, price, kinds, brand) in enumerate(SHELF)
]


def shelf(url="memory://", **options):
    engine = inkling.open(url, **options)
    engine.put_items(ROWS)
    engine.observe([{"user_id": "ann", "item_id": "0"}])
    engine.observe([{"user_id": f"u{n}", "item_id": item} for n, item in enumerate("1112224")])
    assert engine.read_all()
    return engine


@pytest.fixture
def engine():
    with shelf() as made:
        yield made


def follow(engine, answer, text, **more):
    return engine.recommend(text=text, after=answer.id, k=8, **more)


def test_cheaper_is_cheaper_than_what_was_shown(engine):
    first = engine.recommend("ann", k=4, candidates=["1", "2", "4"])
    assert set(first.item_ids) == {"1", "2", "4"}
    cheaper = follow(engine, first, "cheaper", explain=True)
    assert cheaper.item_ids == ["1"]
    assert cheaper.understood == ("cheaper than 20",)
    assert cheaper.items[0].reason.text.startswith("Cheaper than 20. ")
    dearer = follow(engine, first, "贵一点", language="zh", explain=True)
    assert dearer.item_ids == ["4"]
    assert dearer.items[0].reason.text.startswith("高于20。")


def test_limits_of_a_talk_stay_and_the_last_word_on_a_side_counts(engine):
    answer = engine.recommend("ann", k=8)
    under = follow(engine, answer, "under 14")
    assert set(under.item_ids) == {"1", "3", "5"}
    both = follow(engine, under, "but not tea")
    assert set(both.item_ids) == {"1", "5"}
    assert both.understood == ("cheaper than 14", "without tea")
    wider = follow(engine, both, "at most 20")
    assert set(wider.item_ids) == {"1", "5", "6"}
    assert wider.understood == ("at most 20", "without tea")
    from_ten = follow(engine, wider, "at least 12")
    assert set(from_ten.item_ids) == {"1", "6"}
    assert follow(engine, from_ten, "start over").understood == ()


def test_more_like_one_is_led_by_what_reads_like_it(engine):
    first = engine.recommend("nobody", k=8)
    place = first.item_ids.index("5") + 1
    liked = follow(engine, first, f"more like number {place}")
    assert liked.item_ids[0] == "6"  # the other lantern
    assert "5" not in liked.item_ids
    assert liked.understood == ("like “paper lantern”",)
    away = follow(engine, liked, "not like the first")
    assert "6" not in away.item_ids
    assert away.understood == ("like “paper lantern”", "not like “garden lantern”")
    assert follow(engine, first, "更像第99个").left_out == ("place 99: 8 items were shown",)


def test_without_words_goes_by_title_and_category_in_any_capitals(engine):
    first = engine.recommend("nobody", k=8)
    assert "6" not in follow(engine, first, "not horror").item_ids
    red = follow(engine, first, "no red ones").item_ids
    assert not {"0", "7"} & set(red)
    assert "7" in follow(engine, first, "not bore").item_ids  # "bored" is another word
    assert not {"4", "5", "6"} & set(follow(engine, first, "no light").item_ids)


def test_words_that_no_item_has_go_by_meaning(engine):
    first = engine.recommend("nobody", k=8)
    assert not {"0", "1"} & set(follow(engine, first, "not coffee mugs").item_ids)
    assert "4" in follow(engine, first, "not coffee mugs").item_ids


def test_newer_older_popular_and_other_brands(engine):
    first = engine.recommend("nobody", k=8, candidates=["1", "2", "4"])
    all_of_it = engine.recommend("nobody", k=8)
    newer = follow(engine, all_of_it, "something newer")
    assert set(newer.item_ids) == {"5", "6", "7"}
    assert newer.understood[0].startswith("newer than 1970-01-0")
    assert follow(engine, first, "older").item_ids == ["1"]
    assert follow(engine, first, "less popular").item_ids == ["4"]
    assert follow(engine, first, "更热门").left_out == ("more_popular: nothing is, beside 3",)
    other = follow(engine, all_of_it, "another brand")
    assert other.item_ids == ["7"]
    assert set(other.understood) == {"not by Acme", "not by Bolt", "not by Leaf"}
    bolt = engine.recommend("nobody", k=8, candidates=["1", "4"])
    nothing_else = follow(engine, bolt, "换个牌子")
    assert nothing_else.item_ids == []
    assert set(follow(engine, bolt, "something else", candidates=[str(n) for n in range(8)]).item_ids).isdisjoint("14")


def test_free_text_joins_the_talk(engine):
    first = engine.recommend("nobody", text="a lantern", k=3)
    assert set(first.item_ids[:2]) == {"5", "6"}
    second = follow(engine, first, "for the garden, cheaper than the second")
    assert second.understood[0].startswith("cheaper than")
    only = follow(engine, first, "under 20")
    assert set(only.item_ids[:2]) == {"5", "6"}  # the lantern is still asked for


def test_the_person_and_the_filter_go_on(engine):
    kitchen = {"all": [{"field": "categories", "op": "eq", "value": "kitchen"}]}
    first = engine.recommend("ann", k=8, filter=kitchen)
    assert set(first.item_ids) == {"1", "2"}
    again = follow(engine, first, "under 15", explain=True)
    assert again.item_ids == ["1"]
    assert again.items[0].reason.item_ids == ("0",)  # what ann had, though nobody named her
    with pytest.raises(RequestError, match="was given to somebody else"):
        engine.recommend("bob", text="cheaper", after=first.id)


def test_nothing_to_go_by_is_told_and_changes_nothing(engine):
    first = engine.recommend("nobody", k=8, candidates=["7"])
    told = follow(engine, first, "cheaper, another brand")
    assert told.left_out == (
        "cheaper: nothing shown has a price",
        "other_brand: nothing shown names who made it",
    )
    assert told.item_ids == ["7"]
    with inkling.open() as bare:
        bare.put_items([{"item_id": "a", "title": "red mug"}])
        assert bare.recommend(text="under 3", after=bare.recommend("x").id).left_out == ("price: no item has one",)


def test_what_cannot_be_followed_up_is_refused(engine):
    first = engine.recommend("ann", k=3)
    with pytest.raises(NotFoundError, match="no answer 'x' to follow up"):
        engine.recommend("ann", text="cheaper", after="x")
    with pytest.raises(RequestError, match="no text says how"):
        engine.recommend("ann", after=first.id)
    with pytest.raises(RequestError, match="'after' follows up one answer"):
        engine.recommend(["ann", "bob"], text="cheaper", after=first.id)
    engine.erase("ann")
    with pytest.raises(NotFoundError, match="to follow up"):
        engine.recommend("ann", text="cheaper", after=first.id)


def test_a_talk_goes_on_after_a_restart_and_behind_pseudonyms(tmp_path):
    url, secret = f"file://{tmp_path}/shop", b"0123456789abcdef"
    options = {"privacy": Privacy(pseudonyms=True), "secret": secret}
    with shelf(url, **options) as before:
        first = before.recommend("ann", k=8, text="write to me@example.org about a lantern")
        second = follow(before, first, "under 14")
    with inkling.open(url, **options) as after:
        assert after.read_all()
        third = after.recommend("ann", text="not food", after=second.id, k=8)
        assert third.understood == ("cheaper than 14", "without food")
        assert set(third.item_ids) == {"1", "5"}
        log = str([block.rows for block in after._log.scan()])
        assert "example.org" not in log
        assert "'ann'" not in log


def test_who_forbids_storing_is_not_quoted(engine):
    engine.observe([{"user_id": "ann", "event": "opt_out"}])
    answer = engine.recommend("ann", text="a very private wish", k=2)
    assert follow(engine, answer, "under 14").understood == ("cheaper than 14",)
    engine._impressions.flush()
    assert "private wish" not in str([block.rows for block in engine._log.scan()])


def test_real_things_get_cheaper(monkeypatch):
    monkeypatch.delenv("INKLING_DATA", raising=False)
    items = datasets.load("online-retail").items.frame
    rows = [row for row in items.iter_rows(named=True) if row.get("price") and row.get("title")][:250]
    with inkling.open() as engine:
        engine.put_items(rows)
        assert engine.read_all(120)
        first = engine.recommend(text="a candle holder", k=10)
        shown = [engine.get_item(item_id)["price"] for item_id in first.item_ids]
        cheaper = follow(engine, first, "便宜一点", explain=True, language="zh")
        edge = sorted(shown)[(len(shown) - 1) // 2]
        assert cheaper.items
        assert all(engine.get_item(item_id)["price"] < edge for item_id in cheaper.item_ids)
        assert cheaper.items[0].reason.text.startswith("低于")
        assert not any("CANDLE" in engine.get_item(i)["title"] for i in follow(engine, cheaper, "no candles").item_ids)


def test_over_a_socket(engine):
    import uvicorn

    from inkling.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(engine), log_config=None, ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    wire = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=30)

    def post(body):
        wire.request("POST", "/v1/recommend", json.dumps(body))
        answer = wire.getresponse()
        return answer.status, json.loads(answer.read())

    try:
        _, first = post({"user_id": "ann", "k": 8})
        status, second = post(
            {"text": "不要灯笼，低于14", "after": first["recommendation_id"], "explain": True, "language": "zh"}
        )
        assert status == 200
        assert second["understood"] == ["低于14", "不含灯笼"]
        assert {line["item_id"] for line in second["items"]} <= {"1", "3", "5"}
        assert second["items"][0]["reason"]["text"].startswith("低于14，不含灯笼。")
        status, error = post({"text": "cheaper", "after": "nothing"})
        assert (status, error["error"]["code"]) == (404, "not_found")
    finally:
        wire.close()
        server.should_exit = True
        thread.join(10)
        listener.close()


def test_one_follow_up_as_a_value(engine):
    first = engine.ask(Ask(user_id="ann", k=8))
    assert engine.ask(Ask(after=first.id, text="under 14", k=8)).item_ids == follow(engine, first, "under 14").item_ids
