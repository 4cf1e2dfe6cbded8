"""Profiles as the engine knows them: read, written by those they are about, kept, forgotten."""

from __future__ import annotations

import json
import threading
import time

import pytest

import inkling
from inkling.core.errors import NotFoundError, RequestError
from inkling.engine.profiling import profiler, snapshot
from inkling.language._generate_speaker import Failed, Said
from inkling.language.generate import GenerateConfig, Generator

ITEMS = [
    {"item_id": "1", "title": "red mug", "categories": ["kitchen"], "description": "A mug for tea. It is red."},
    {"item_id": "2", "title": "blue mug", "categories": ["kitchen"]},
    {"item_id": "3", "title": "desk lamp", "categories": ["light"]},
]
EVENTS = [
    {"user_id": "ann", "item_id": "1", "text": "The price is great but the service was terrible."},
    {"user_id": "ann", "item_id": "2"},
    {"user_id": "bob", "item_id": "1", "text": "great quality, see bob@example.org"},
    {"user_id": "ann", "event": "query", "text": "red things"},
]


@pytest.fixture
def engine():
    with inkling.open() as made:
        made.put_items(ITEMS)
        made.observe(EVENTS)
        yield made


@pytest.fixture(autouse=True)
def nothing_is_stale(monkeypatch):
    monkeypatch.setattr("inkling.engine.profiling._PATIENCE", 0)


def test_a_person_in_english_and_chinese(engine):
    told = engine.user_profile("ann")
    assert told["user_id"] == "ann"
    assert set(told["favourites"]) == {"red mug", "blue mug"}
    assert set(told["cares_about"]) == {"price", "service"}
    assert told["asked"] == ["red things"]
    assert "Favourites: " in told["text"]
    assert "最爱: " in engine.user_profile("ann", language="zh")["text"]
    before = told["version"]
    engine.observe([{"user_id": "ann", "item_id": "3"}])
    assert engine.user_profile("ann")["version"] != before


def test_a_snapshot_serves_for_a_while_but_never_lacks_anybody(engine, monkeypatch):
    monkeypatch.setattr("inkling.engine.profiling._PATIENCE", 1e6)
    before = engine.user_profile("ann")
    engine.observe([{"user_id": "ann", "item_id": "3"}])
    assert engine.user_profile("ann") == before
    engine.observe([{"user_id": "eve", "item_id": "3"}])
    assert engine.user_profile("eve")["favourites"] == ["desk lamp"]
    assert engine.user_profile("ann") != before


def test_an_item_says_what_its_reviews_say(engine):
    told = engine.item_profile("1")
    assert (told["title"], told["summary"]) == ("red mug", "A mug for tea. It is red.")
    assert set(told["good_at"]) == {"price", "quality"}
    assert told["bad_at"] == ["service"]
    assert "bob@example.org" not in told["text"]  # masked at the door
    assert engine.item_profile("1")["n_events"] == 2


def test_what_people_write_stays_and_can_be_taken_back(engine, tmp_path):
    engine.patch_user_profile("ann", {"about": "I collect mugs", "likes": ["tea"]})
    told = engine.user_profile("ann")
    assert (told["about"], told["likes"], told["edited"]) == ("I collect mugs", ["tea"], ["likes"])
    assert engine.get_user("ann")["about"] == "I collect mugs"
    engine.observe([{"user_id": "ann", "item_id": "3"}])
    assert engine.user_profile("ann")["likes"] == ["tea"]
    engine.patch_user_profile("ann", {"likes": None, "about": None})
    told = engine.user_profile("ann")
    assert "likes" not in told
    assert "about" not in told
    engine.patch_item_profile("3", {"summary": "A lamp with a switch."})
    assert engine.item_profile("3")["summary"] == "A lamp with a switch."
    assert engine.recommend("bob", k=3).items  # what was written is no obstacle to anything


def test_profiles_live_in_the_log_and_go_with_the_person(tmp_path):
    url = f"file://{tmp_path}/shop"
    with inkling.open(url) as engine:
        engine.put_items(ITEMS)
        engine.observe(EVENTS)
        engine.patch_user_profile("ann", {"about": "I collect mugs", "likes": ["porcelain"]})
        engine.fit(settings={"members": {"popular": {"retriever": "popular"}}, "order": "fused", "encoder": "hashing"})
        assert engine.user_profile("ann")["likes"] == ["porcelain"]
    with inkling.open(url) as again:
        assert again.user_profile("ann")["likes"] == ["porcelain"]
        assert again.user_profile("ann")["favourites"]
        again.erase("ann")
        with pytest.raises(NotFoundError, match="no user 'ann'"):
            again.user_profile("ann")
        assert "ann" not in str(profiler(snapshot(again.views, again._log)).item(0))
        assert "porcelain" not in str([block.rows for block in again._log.scan()])


def test_what_cannot_be_told_or_changed_is_refused(engine):
    with pytest.raises(NotFoundError, match="no user 'zoe'"):
        engine.user_profile("zoe")
    with pytest.raises(NotFoundError, match="no item '9'"):
        engine.item_profile("9")
    with pytest.raises(NotFoundError, match="no item '9'"):
        engine.patch_item_profile("9", {"summary": "x"})
    with pytest.raises(RequestError, match="language is 'fr'"):
        engine.user_profile("ann", language="fr")
    with pytest.raises(RequestError, match=r"A profile's 'likse' cannot be changed\. Did you mean 'likes'"):
        engine.patch_user_profile("ann", {"likse": None})
    with pytest.raises(RequestError, match="'version' cannot be changed"):
        engine.patch_user_profile("ann", {"version": "1"})
    with pytest.raises(RequestError, match="change does not fit"):
        engine.patch_item_profile("1", {"keywords": 5})


def test_attributes_that_only_look_like_a_written_profile_do_no_harm(engine):
    for odd in ("{", "[]", '{"x": 1}', 5, '{"likes": 7}'):
        engine.patch_user("ann", {"profile_edits": odd})
        assert engine.user_profile("ann")["favourites"]
        engine.patch_item("1", {"profile_edits": odd})
        assert engine.item_profile("1")["title"] == "red mug"


def test_an_empty_store_and_people_without_events():
    with inkling.open() as engine:
        engine.put_users([{"user_id": "zoe", "about": "I drive a car"}])
        told = engine.user_profile("zoe")
        assert told["about"] == "I drive a car"
        assert told["text"] == "About: I drive a car"
        engine.put_items(ITEMS[:1])
        assert engine.item_profile("1")["categories"] == ["kitchen"]


class Speaker:
    """A model that says what it is told to say."""

    name = "fake#1"

    def __init__(self, *says):
        self.says, self.asked, self.gate = list(says), [], threading.Event()
        self.gate.set()

    def say(self, messages, *, most_tokens):
        self.gate.wait(10)
        self.asked.append(messages[1]["content"])
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return Said(json.dumps(said), 10)


class Tasks(Speaker):
    """A model that says something else for each task, by a word of what it is told."""

    def __init__(self, says):
        super().__init__({})
        self.by_task = says

    def say(self, messages, *, most_tokens):
        told = messages[0]["content"]
        self.says = [next((said for word, said in self.by_task.items() if word in told), {"summary": "x"})]
        return super().say(messages, most_tokens=most_tokens)


PRAISE = {"aspects": [{"term": "quality", "sentiment": "negative"}, {"term": "see", "sentiment": "positive"}]}


def test_aspects_that_a_model_finds_join_those_of_the_rules_and_are_marked(engine):
    before = engine.item_profile("1")
    assert (set(before["good_at"]), before["bad_at"]) == ({"price", "quality"}, ["service"])
    assert "aspects_by" not in before
    speaker = Tasks({"aspects that the review": PRAISE})
    engine.write_with(Generator(speaker))
    told = engine.item_profile("1")
    assert told["good_at"] == before["good_at"]  # nobody waits
    assert told["aspects_by"] == {"price": ["rules"], "quality": ["rules"], "service": ["rules"]}
    assert engine._writer.wait(10)
    told = engine.item_profile("1")
    assert set(told["good_at"]) == {"price", "see"}
    assert set(told["bad_at"]) == {"service", "quality"}  # the model's word counts where both speak of it
    assert told["aspects_by"]["see"] == ["model"]
    assert told["aspects_by"]["quality"] == ["model", "rules"]
    assert told["aspects_by"]["service"] == ["rules"]
    engine.patch_item_profile("1", {"bad_at": ["handle"]})
    assert engine.item_profile("1")["aspects_by"]["handle"] == ["edited"]
    assert not [asked for asked in speaker.asked if "bob" in asked]
    engine.erase("bob")
    assert engine._writer.wait(10)
    assert "see" not in engine.item_profile("1")["good_at"]


def test_a_review_that_does_not_say_what_a_model_found_changes_nothing(engine):
    engine.write_with(Generator(Tasks({"aspects that": {"aspects": [{"term": "parking", "sentiment": "negative"}]}})))
    before = engine.item_profile("1")["bad_at"]
    assert engine._writer.wait(10)
    assert engine.item_profile("1")["bad_at"] == before
    assert engine.written().refused >= 2


def test_a_generative_model_writes_in_the_background(engine):
    words = {"summary": "Somebody who likes mugs.", "cares_about": ["price"]}
    speaker = Tasks({"person's taste:": words, "review": {"aspects": []}})
    engine.write_with(Generator(speaker))
    speaker.gate.clear()
    assert engine.user_profile("ann")["written"] is None  # nobody waits
    assert engine.user_profile("ann")["written"] is None  # asked for once
    speaker.gate.set()
    assert engine._writer.wait(10)
    assert engine.user_profile("ann")["written"]["summary"] == "Somebody who likes mugs."
    assert len(speaker.asked) == 3  # two reviews, and what is known of her
    assert not [asked for asked in speaker.asked if "'ann'" in asked or '"ann"' in asked]  # who it is about is not told
    assert engine.written().written == 3
    assert engine.erase("ann").removed["written"] == 2


def test_reasons_get_better_words_where_they_claim_nothing_new(engine):
    good = {"reasons": [{"item_id": "3", "text": "Many people choose this now, so it may suit you.", "facts": [0]}]}
    speaker = Speaker(good)
    engine.write_with(Generator(speaker))
    ask = {"k": 1, "candidates": ["3"], "explain": True}
    plain = engine.recommend("new", **ask).items[0].reason.text
    assert plain == "Many people choose this now"
    assert engine._writer.wait(10)
    assert engine.recommend("new", **ask).items[0].reason.text == "Many people choose this now, so it may suit you."
    assert engine.recommend("new", k=1, candidates=["3"]).items[0].reason is None
    speaker.says = [{"reasons": [{"item_id": "3", "text": "50% off!", "facts": [0]}]}]
    assert engine.recommend("new", **ask, language="zh").items[0].reason.text == "最近很多人选择"
    assert engine._writer.wait(10)
    assert engine.recommend("new", **ask, language="zh").items[0].reason.text == "最近很多人选择"


def test_a_model_that_fails_leaves_everything_as_it_is(engine):
    engine.write_with(Generator(Speaker(Failed("no", again=False)), GenerateConfig(tries=1)))
    told = engine.item_profile("1")
    assert engine._writer.wait(10)
    assert told["written"] is None
    assert engine.item_profile("1")["summary"] == told["summary"]
    engine._writer.wait(10)
    assert engine.written().failed >= 1


def test_a_full_queue_never_blocks(engine):
    speaker = Tasks({"aspects that the review": {"aspects": []}})
    from inkling.engine.writing import Writer

    writer = Writer(Generator(speaker), most=2)
    speaker.gate.clear()
    engine._writer = writer
    engine._profiles = None
    started = time.monotonic()
    for language in ("en", "zh"):
        for item_id in ("1", "2", "3"):
            assert engine.item_profile(item_id, language=language)["written"] is None
    assert time.monotonic() - started < 10
    speaker.gate.set()
    assert writer.wait(10)
    assert len(speaker.asked) <= 3
