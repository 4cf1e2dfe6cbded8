"""The engine by its public verbs, before any fit: what a person does with it on the first day."""

from __future__ import annotations

import threading

import pytest

import inkling
from inkling.core.errors import NotFoundError, RequestError, StoreError, VersionError
from inkling.core.recommendation import Recommendation
from inkling.core.scenario import Scenario
from inkling.engine.base import Ask, Engine
from inkling.privacy.door import Privacy

PLACES = ["电影", "旅游", "运动", "美食", "音乐"]
TITLES = {"1": "red mug", "2": "blue mug", "3": "tea pot", "4": "green tea", "5": "desk lamp"}


def acts(*pairs, event="interaction"):
    return [{"user_id": user, "item_id": item, "event": event} for user, item in pairs]


@pytest.fixture
def engine():
    with inkling.open("memory://") as made:
        made.put_items([{"item_id": key, "title": title, "price": float(key)} for key, title in TITLES.items()])
        assert made.read_all()
        made.observe(acts(("ann", "1"), ("bob", "3"), ("cat", "3"), ("cat", "5"), ("dan", "3")))
        yield made


def test_it_is_an_engine(engine):
    assert isinstance(engine, Engine)
    assert isinstance(engine, inkling.Engine)
    answer = engine.recommend("ann", k=2)
    assert isinstance(answer, Recommendation)
    assert len(answer.items) == 2
    assert answer.version == 10
    assert answer.bundle == ""
    assert {"state", "recall", "rank", "policy", "answer"} <= set(answer.timings_ms)


def test_an_event_changes_the_very_next_answer(engine):
    before = engine.recommend("new", k=5).item_ids
    version = engine.observe(acts(("new", before[0])))
    after = engine.recommend("new", k=5, min_version=version)
    assert before[0] not in after.item_ids
    assert after.version >= version
    assert engine.history("new")[0]["item_id"] == before[0]


def test_a_version_that_was_never_issued_is_an_error(engine):
    with pytest.raises(VersionError, match=r"Version 999 was never issued; the newest is 10"):
        engine.recommend("ann", min_version=999)


@pytest.mark.parametrize("k", [0, -3, 1_000_000])
def test_an_impossible_k_is_refused_everywhere(engine, k):
    with pytest.raises(RequestError, match=f"k is {k}; it must be from 1 to 1000"):
        engine.recommend("ann", k=k)
    with pytest.raises(RequestError, match=f"k is {k}"):
        engine.similar("1", k=k)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        ({}, "Nothing says for whom"),
        ({"text": "tea", "language": "xx"}, "language is 'xx'. Allowed: en, zh"),
        ({"text": "tea", "kk": 3}, "unknown field `kk`"),
        ({"text": 5}, "Expected `str | null`, got `int`"),
        (
            {"text": "tea", "filter": {"all": [{"field": "prize", "op": "lt", "value": 3}]}},
            "No item has a field 'prize'",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(engine, ask, told):
    with pytest.raises(RequestError, match=told.replace("|", r"\|")):
        engine.recommend(**ask)


def test_somebody_unknown_is_told_what_is_popular(engine):
    assert engine.recommend("nobody knows", k=3).item_ids[0] == "3"
    assert engine.recommend(history=[], k=3).item_ids[0] == "3"
    assert engine.recommend("nobody knows", k=5).item_ids[:1] == ["3"]


def test_an_unknown_item_is_not_found(engine):
    for ask in (engine.similar, engine.get_item, engine.delete_item, lambda i: engine.patch_item(i, {"price": 1})):
        with pytest.raises(NotFoundError, match=r"There is no item '99'\. Write it first"):
            ask("99")
    with pytest.raises(NotFoundError, match="There is no item '99'"):
        engine.score("ann", ["1", "99"])
    with pytest.raises(NotFoundError, match="There is no item '99'"):
        engine.explain("ann", "99")
    with pytest.raises(NotFoundError, match="There is no user 'zoe'"):
        engine.get_user("zoe")


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("我喜欢看电影和旅游", PLACES, {"电影", "旅游"}),
        (
            "I like watching movies and I love to travel",
            ["movies", "travel", "sports", "food", "music"],
            {"movies", "travel"},
        ),
    ],
)
def test_a_sentence_finds_what_it_names(text, names, first):
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": name, "title": name} for name in names])
        assert engine.read_all()
        answer = engine.recommend(text=text, k=5, explain=True)
        assert set(answer.item_ids[:2]) == first
        assert answer.items[0].reason.kind == "query"
        assert len(answer.items) == 5


def test_a_narrow_filter_still_gives_k_answers():
    with inkling.open("memory://") as engine:
        rows = [
            {"item_id": f"i{n}", "title": f"thing {n}", "shelf": "rare" if n % 100 == 7 else "usual"}
            for n in range(1000)
        ]
        engine.put_items(rows)
        assert engine.read_all()
        engine.observe(acts(*(("ann", f"i{n}") for n in range(5))))
        rare = {"all": [{"field": "shelf", "op": "eq", "value": "rare"}]}
        for who in ({"user_id": "ann"}, {"user_id": "nobody"}, {"text": "thing 3"}):
            answer = engine.recommend(**who, k=10, filter=rare)
            assert len(answer.items) == 10
            assert all(int(item_id[1:]) % 100 == 7 for item_id in answer.item_ids)


def test_exclude_candidates_and_history_hold(engine):
    assert "3" not in engine.recommend("ann", k=5, exclude=["3"]).item_ids
    assert set(engine.recommend("ann", k=5, candidates=["2", "5", "99"]).item_ids) == {"2", "5"}
    assert engine.recommend("ann", k=5, candidates=["99"]).items == ()
    assert engine.recommend(history=["1"], k=1).item_ids == ["2"]
    assert "1" in engine.recommend("ann", history=["3"], k=5).item_ids


def test_many_people_at_once_are_the_same_as_one_by_one(engine):
    people = ["ann", "bob", "cat", "nobody"]
    for ask in ({}, {"text": "tea"}, {"candidates": ["2", "4", "5"]}, {"exclude": ["3"], "explain": True}):
        together = engine.recommend(people, k=3, **ask)
        assert [each.items for each in together] == [engine.recommend(one, k=3, **ask).items for one in people]
    assert engine.recommend([]) == []


def test_reasons_rest_on_what_the_person_did(engine):
    line = engine.recommend("ann", k=1, explain=True).items[0]
    assert line.item_id == "2"
    assert line.reason.item_ids == ("1",)
    assert line.reason.text == "Reads like “red mug”"
    assert engine.recommend("ann", k=1, explain=True, language="zh").items[0].reason.text == "内容与《red mug》相近"
    told = engine.explain("ann", "2")
    assert told["because"][0]["item_id"] == "1"
    assert sum(abs(share) for share in told["contributions"].values()) == pytest.approx(1)


def test_items_like_one(engine):
    answer = engine.similar("1", k=2)
    assert answer.item_ids[0] == "2"
    assert "1" not in engine.similar("1", k=5).item_ids


def test_scores_order_as_the_model_does(engine):
    near, far = engine.score("ann", ["2", "5"])
    assert 1 >= near > far >= 0
    assert engine.score("ann", ["5"]) == [far]
    assert engine.score("ann", []) == []


def test_an_item_changes_goes_and_comes_back(engine):
    engine.patch_item("2", {"price": 9.5, "title": None})
    assert engine.get_item("2") == {"item_id": "2", "price": 9.5}
    engine.delete_item("2")
    assert "2" not in engine.recommend("ann", k=5).item_ids
    engine.observe(acts(("bob", "2")))  # an event does not bring back what was deleted
    assert "2" not in engine.recommend("ann", k=5).item_ids
    with pytest.raises(NotFoundError, match="no item '2'"):
        engine.get_item("2")
    engine.put_items([{"item_id": "2", "title": "blue mug"}])
    assert "2" in engine.recommend("ann", k=5).item_ids
    assert [row["item_id"] for row in engine.find_items("mug")] == ["1", "2"]


def test_people_and_what_is_known_of_them(engine):
    engine.put_users([{"user_id": "ann", "city": "Oslo", "about": "write to ann@example.org"}])
    engine.patch_user("ann", {"age": 30})
    known = engine.get_user("ann")
    assert (known["city"], known["age"], known["n_events"]) == ("Oslo", 30, 1)
    assert "example.org" not in known["about"]
    assert engine.find_users("a") == ["ann"]
    assert engine.find_users(limit=2) == ["ann", "bob"]


def test_a_session_becomes_a_person(engine):
    engine.observe([{"session_id": "s1", "item_id": "4"}])
    assert (
        engine.recommend(session_id="s1", k=5).item_ids == engine.recommend(history=["4"], exclude=["4"], k=5).item_ids
    )
    engine.merge("eve", "s1")
    assert [event["item_id"] for event in engine.history("eve")] == ["4"]
    engine.observe([{"session_id": "s1", "item_id": "5"}])
    assert [event["item_id"] for event in engine.history("eve")] == ["5", "4"]
    assert not [user for user in engine.find_users() if "s1" in user]


def test_a_person_is_erased_everywhere(engine):
    engine.put_users([{"user_id": "ann", "city": "Oslo"}])
    engine.recommend("ann")
    receipt = engine.erase("ann")
    assert receipt.removed["state"] == 1
    assert receipt.removed["users"] == 1
    assert receipt.removed["log"] == 3  # an event, the attributes, an impression
    assert engine.history("ann") == []
    assert "ann" not in engine.find_users()
    with pytest.raises(NotFoundError, match="no user 'ann'"):
        engine.get_user("ann")
    engine._impressions.flush()
    assert "ann" not in str([block.rows for block in engine._log.scan()])
    assert engine.recommend("ann", k=5).item_ids == engine.recommend("nobody", k=5).item_ids
    engine.observe(acts(("ann", "2")))
    assert engine.get_user("ann")["n_events"] == 1


def test_a_retry_is_harmless(engine):
    event = [{"user_id": "zoe", "item_id": "1", "event_id": "e1"}]
    version = engine.observe(event)
    assert engine.observe(event) == version
    assert engine.observe([*event, *event]) == version
    assert engine.observe([{**event[0], "event_id": "e2"}] * 2) == version + 1
    assert engine.get_user("zoe")["n_events"] == 2


def test_who_opted_out_leaves_no_trace_from_then_on(engine):
    engine.observe([{"user_id": "bob", "event": "opt_out"}])
    version = engine.version
    assert engine.ingest(acts(("bob", "1"), ("ann", "4"))).version == version + 1
    assert engine.get_user("bob")["n_events"] == 1
    engine.observe([{"user_id": "bob", "event": "opt_in"}])
    engine.observe(acts(("bob", "1")))
    assert engine.get_user("bob")["n_events"] == 2


def test_use_may_be_forbidden_while_events_are_stored(engine):
    engine.observe([{"user_id": "bob", "event": "opt_out", "text": "use"}])
    version = engine.version
    assert engine.observe(acts(("bob", "1"))) == version + 1
    assert engine.get_user("bob")["n_events"] == 1


def test_a_bad_event_takes_the_batch_along_or_is_told_of(engine):
    batch = [*acts(("ann", "4")), {"user_id": "ann"}]
    version = engine.version
    with pytest.raises(RequestError, match=r"event 1: item_id is missing.*1 of 2 are bad"):
        engine.observe(batch)
    assert engine.version == version
    told = engine.ingest(batch)
    assert (told.accepted, told.version) == (1, version + 1)
    assert told.rejected[0].index == 1


def test_answers_are_logged_as_impressions(engine):
    answer = engine.recommend("ann", k=2)
    engine._impressions.flush()
    rows = [row for block in engine._log.scan() if block.kind == "impressions" for row in block.rows]
    assert rows[-1]["recommendation_id"] == answer.id
    assert rows[-1]["item_ids"] == answer.item_ids
    assert rows[-1]["user_id"] == "ann"


def test_pseudonyms_stand_for_people_in_every_verb():
    privacy = Privacy(pseudonyms=True)
    with inkling.open("memory://", privacy=privacy, secret=b"0123456789abcdef") as engine:
        engine.put_items([{"item_id": key, "title": title} for key, title in TITLES.items()])
        assert engine.read_all()
        engine.observe([{"user_id": "ann", "item_id": "1"}, {"session_id": "s1", "item_id": "1"}])
        assert "ann" not in str([block.rows for block in engine._log.scan()])
        assert engine.recommend("ann", k=5).item_ids[0] == "2"
        assert "1" not in engine.recommend("ann", k=5).item_ids
        assert "1" not in engine.recommend(session_id="s1", k=5).item_ids
        assert engine.explain("ann", "2")["because"]
        assert engine.score("ann", ["2"])[0] > engine.score("nobody", ["2"])[0]
        assert engine.history("ann")[0]["item_id"] == "1"
        engine.merge("ann", "s1")
        assert len(engine.history("ann")) == 2
        assert engine.erase("ann").removed["state"] == 2
        assert engine.history("ann") == []


def test_about_says_what_is_there(engine):
    about = engine.about()
    assert (about["pipeline"], about["n_items"], about["n_users"], about["n_events"]) == ("semantic_basic", 5, 4, 5)
    assert about["target_event"] == "interaction"
    assert about["clock"] == "wall"


def test_rules_of_the_scenario_are_kept():
    rule = {"kind": "filter", "where": {"all": [{"field": "price", "op": "lt", "value": 3}]}}
    with inkling.open("memory://", scenario=Scenario(rules=(rule,))) as engine:
        engine.put_items([{"item_id": key, "title": title, "price": float(key)} for key, title in TITLES.items()])
        assert set(engine.recommend("ann", k=5).item_ids) <= {"1", "2"}


def test_an_address_of_no_known_form_is_refused():
    with pytest.raises(StoreError, match="'ftp://' is unknown"):
        inkling.open("ftp://somewhere")


def test_one_question_as_a_value(engine):
    assert engine.ask(Ask(user_id="ann", k=2)).item_ids == engine.recommend("ann", k=2).item_ids


def test_people_may_ask_and_write_at_once(engine):
    failed = []

    def write(n):
        for step in range(15):
            engine.put_items([{"item_id": f"w{n}-{step}", "title": f"mug {n} {step}"}])
            engine.observe(acts((f"w{n}", f"w{n}-{step}")))

    def ask():
        try:
            for _ in range(30):
                assert engine.recommend(["ann", "w0", "w1"], k=5)
        except Exception as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)] + [
        threading.Thread(target=ask) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert engine.get_user("w1")["n_events"] == 15
    assert len(engine.find_items("mug", limit=100)) == 32


def test_a_warm_engine_answers_as_a_cold_one_and_leaves_no_trace():
    with inkling.open() as cold, inkling.open() as warm:
        for engine in (cold, warm):
            engine.put_items([{"item_id": "1", "title": "red mug"}, {"item_id": "2", "title": "garden lantern"}])
            assert engine.read_all()
        version = warm.version
        assert warm.warm().version == version
        assert warm.recommend(text="a mug", k=2).item_ids == cold.recommend(text="a mug", k=2).item_ids == ["1", "2"]
