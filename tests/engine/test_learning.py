"""From a log to a fitted engine and back: what was learned, what came meanwhile, what stays after a fit."""

from __future__ import annotations

import threading

import pytest

import inkling
from inkling.core.errors import ConfigError, DataError, RequestError
from inkling.core.run import Run

COMMON = {"k": 10}


@pytest.fixture
def fitted(shop):
    with shop.fitted() as engine:
        yield engine


def test_the_known_answer_comes_first(shop, fitted):
    events = shop.events()
    people = [f"u{n}" for n in range(0, 40, 3)]
    answers = fitted.recommend(people, k=1)
    assert [answer.item_ids[0] for answer in answers] == [shop.missing(events, user) for user in people]
    assert answers[0].bundle == fitted.bundle.id
    assert 0 < answers[0].items[0].score < 1


def test_many_people_at_once_are_the_same_as_one_by_one(fitted):
    people = ["u1", "u2", "u3", "nobody"]
    for ask in ({}, {"text": "car wax"}, {"candidates": ["cat-toy", "car-wax", "car-lamp"]}):
        for person, together in zip(people, fitted.recommend(people, **COMMON, **ask), strict=True):
            alone = fitted.recommend(person, **COMMON, **ask)
            assert alone.item_ids == together.item_ids
            assert [i.score for i in alone.items] == pytest.approx([i.score for i in together.items], abs=2e-6)


def test_what_happens_after_the_fit_counts_at_once(shop, fitted):
    had = ("cat-food", "cat-bed", "cat-brush")
    fitted.observe([{"user_id": "new", "item_id": item_id, "event": "purchase"} for item_id in had])
    assert set(fitted.recommend("new", k=2).item_ids) == {"cat-toy", "cat-litter"}


def test_an_item_that_came_after_the_fit(fitted):
    fitted.put_items([{"item_id": "cat-house", "title": "cat house", "categories": ["cat"]}])
    assert fitted.read_all()
    assert "cat-house" in fitted.recommend(text="a house for my cat", k=3).item_ids
    fitted.observe([{"user_id": "new", "item_id": "cat-house", "event": "purchase"}])
    answer = fitted.recommend("new", k=5, explain=True)
    assert len(answer.items) == 5
    assert "cat-house" not in answer.item_ids
    assert fitted.similar("cat-house", k=2).item_ids
    assert len(fitted.score("u1", ["cat-house", "cat-toy"])) == 2


@pytest.mark.parametrize("order", ["linear", "gbdt"])
def test_a_ranker_that_learned_knows_the_answer_too(shop, order):
    events, people = shop.events(), [f"u{n}" for n in range(0, 40, 3)]
    with shop.fitted(order=order) as engine:
        answers = engine.recommend(people, k=2)
        found = [shop.missing(events, user) in answer.item_ids for user, answer in zip(people, answers, strict=True)]
        assert sum(found) >= 0.8 * len(found)
        assert engine.explain("u1", "car-wax")["features"]


def test_unknown_people_are_told_what_is_popular(fitted):
    fitted.observe([{"user_id": f"late{n}", "item_id": "car-mat", "event": "purchase"} for n in range(60)])
    assert fitted.recommend("nobody", k=3).item_ids[0] == "car-mat"


def test_reasons_are_true_of_the_person(shop, fitted):
    events = shop.events()
    for user in ("u0", "u1", "u5"):
        had = {row["item_id"] for row in events if row["user_id"] == user}
        for line in fitted.recommend(user, k=5, explain=True).items:
            assert set(line.reason.item_ids) <= had
            assert line.reason.kind != "repeat"


def test_what_the_report_says(fitted):
    about = fitted.about()
    assert {member["name"] for member in about["members"]} <= {"popular", "itemknn", "semantic"}
    assert about["quality"]["default"] > 0.5
    assert about["pipeline"] == "default"


def test_a_fit_from_the_own_log_keeps_what_else_the_log_told(shop):
    """People's attributes, choices, merges and deletions are in the log too, and a fit must not forget them."""
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe(shop.events())
        engine.put_users([{"user_id": "u1", "city": "Oslo"}])
        engine.observe([{"session_id": "s1", "item_id": "cat-toy", "event": "purchase"}])
        engine.merge("eve", "s1")
        engine.observe([{"user_id": "u3", "event": "opt_out"}])
        engine.delete_item("car-wax")
        engine.fit(settings=shop.QUICK)
        assert engine.get_user("u1")["city"] == "Oslo"
        assert [row["item_id"] for row in engine.history("eve")] == ["cat-toy"]
        engine.observe([{"session_id": "s1", "item_id": "cat-bed", "event": "purchase"}])
        assert [row["item_id"] for row in engine.history("eve")] == ["cat-bed", "cat-toy"]
        version = engine.version
        assert engine.observe([{"user_id": "u3", "item_id": "cat-bed", "event": "purchase"}]) == version
        assert "car-wax" not in engine.recommend("u2", k=10).item_ids
        assert "car-wax" not in engine.recommend("nobody", k=10).item_ids


def test_what_comes_while_a_fit_runs_is_not_lost(shop):
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe(shop.events())
        told = []

        def meanwhile(stage, done, total):
            if not told:
                told.append(engine.observe([{"user_id": "late", "item_id": "cat-toy", "event": "purchase"}]))

        engine.fit(settings=shop.QUICK, run=Run(progress=meanwhile))
        assert told
        assert engine.get_user("late")["n_events"] == 1
        assert engine.recommend("late", k=1, min_version=told[0]).version >= told[0]


def test_a_bundle_answers_as_the_engine_that_wrote_it(shop, fitted, tmp_path):
    bundle_id = fitted.save(tmp_path / "bundle")
    people = ["u1", "u2", "u7", "nobody"]
    with inkling.open("memory://", bundle=tmp_path / "bundle") as other:
        assert other.bundle.id == bundle_id
        assert other.scenario == fitted.scenario
        for ask in ({}, {"text": "car wax"}, {"explain": True}):
            ours, theirs = fitted.recommend(people, **COMMON, **ask), other.recommend(people, **COMMON, **ask)
            assert [answer.items for answer in theirs] == [answer.items for answer in ours]
        assert other.similar("cat-toy").items == fitted.similar("cat-toy").items
        assert other.score("u1", ["car-wax"]) == fitted.score("u1", ["car-wax"])
        assert other.history("u1") == fitted.history("u1")
        late = [{"user_id": "late", "item_id": "cat-toy", "event": "purchase", "timestamp": shop.START + 90 * shop.DAY}]
        for each in (fitted, other):
            each.observe(late)
        assert other.recommend("late", k=3).item_ids == fitted.recommend("late", k=3).item_ids


def test_a_store_and_its_bundle_are_opened_again(shop, tmp_path):
    url, late = f"file://{tmp_path}/store", {"user_id": "late", "item_id": "cat-toy", "event": "purchase"}
    with shop.fitted(url) as engine:
        engine.save(tmp_path / "bundle")
        engine.observe([{**late, "timestamp": shop.START + 90 * shop.DAY}])
        before = engine.recommend(["u1", "late", "nobody"], k=5)
        version = engine.version
    with inkling.open(url, bundle=tmp_path / "bundle") as again:
        assert again.get_user("late")["n_events"] == 1
        assert again.get_user("u1")["n_events"] == 4
        assert again.version >= version
        assert [each.item_ids for each in again.recommend(["u1", "late", "nobody"], k=5)] == [
            e.item_ids for e in before
        ]


def test_a_catalogue_of_mixed_types_can_be_learned_from(shop):
    odd = [
        {
            "item_id": "x1",
            "title": 5,
            "categories": "cat|odd",
            "size": "large",
            "created_at": "2020-01-01",
            "tags": "a",
        },
        {
            "item_id": "x2",
            "title": None,
            "categories": ["cat"],
            "size": 7,
            "created_at": 1_600_000_000,
            "tags": ["b", 3],
        },
        {"item_id": "x3", "size": True, "created_at": "once upon a time", "price": 3, "tags": None, "new": False},
    ]
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items([*shop.ITEMS, *odd])
        engine.observe(shop.events())
        engine.put_users([{"user_id": "u1", "city": "Oslo", "n": 1}, {"user_id": "u2", "city": 5, "n": 2.5}])
        engine.fit(settings=shop.QUICK)
        assert engine.get_item("x2")["size"] == 7
        assert engine.recommend("u1", k=1).item_ids[0].startswith("car")
        assert {"x1", "x3"} <= set(engine.recommend(text="x", k=20, candidates=["x1", "x3"]).item_ids)


def test_events_whose_use_was_forbidden_teach_nothing(shop):
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe(shop.events())
        engine.observe([{"user_id": f"q{n}", "event": "opt_out", "text": "use"} for n in range(60)])
        engine.observe([{"user_id": f"q{n}", "item_id": "car-mat", "event": "purchase"} for n in range(60)])
        engine.fit(settings=shop.QUICK)
        assert engine.about()["n_events"] == len(shop.events())
        assert engine.recommend("nobody", k=1).item_ids != ["car-mat"]


def test_settings_that_are_unknown_and_data_that_is_empty(shop, tmp_path):
    with inkling.open("memory://") as engine:
        with pytest.raises(DataError, match="The log holds no events yet"):
            engine.fit()
        with pytest.raises(RequestError, match="nothing to save: this engine was not fitted"):
            engine.save(tmp_path / "none")
        engine.observe([{"user_id": "a", "item_id": "1"}])
        with pytest.raises(ConfigError, match=r"default settings: unknown key 'n_window'\. Did you mean 'n_windows'"):
            engine.fit(settings={"n_window": 1})
        with pytest.raises(ConfigError, match=r"Did you mean 'itemknn'"):
            engine.fit(settings={"members": {"x": {"retriever": "itemkn"}}})


def test_events_without_a_positive_one_cannot_teach(shop):
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.observe([{"user_id": "a", "item_id": "1", "event": "view"}])
        with pytest.raises(DataError, match=r"None of the 1 events is positive\. Positive are: purchase"):
            engine.fit(settings=shop.QUICK)


@pytest.mark.parametrize("order", ["auto", "gbdt", "linear"])
def test_windows_that_teach_nothing_leave_the_fusion(shop, order):
    """Nobody took what recall had found: there is nothing for a ranker to learn, and the fit goes on without one."""
    rows = [(f"u{n % 20}", f"i{n % 7}", n) for n in range(180)] + [(f"u{n}", f"i{200 + n}", 181 + n) for n in range(20)]
    keys, often = ("user_id", "item_id", "timestamp"), {"popular": {"retriever": "popular", "k": 5}}
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items([{"item_id": f"i{n}", "title": f"t{n}"} for n in range(300)])
        engine.observe(
            [
                {**dict(zip(keys, (user, item, shop.START + day * shop.DAY), strict=True)), "event": "purchase"}
                for user, item, day in rows
            ]
        )
        engine.fit(settings={**shop.QUICK, "members": often, "order": order, "n_windows": 1})
        assert engine.pipeline.report().chosen == "fused"
        answer = engine.recommend("u1", k=2)
        assert len(answer.items) == 2
        assert answer.items[0].score < 0.2  # as little as was ever seen to be taken


def test_a_few_events_are_enough_to_answer(shop):
    with inkling.open("memory://", scenario=shop.SCENARIO) as engine:
        engine.put_items(shop.ITEMS)
        engine.observe([{"user_id": "a", "item_id": "cat-toy", "event": "purchase"}])
        engine.fit(settings={**shop.QUICK, "order": "auto"})
        assert len(engine.recommend("a", k=5).items) == 5
        assert engine.recommend("nobody", k=1).item_ids == ["cat-toy"]


def test_people_may_ask_and_write_while_a_bundle_is_swapped(shop, saved):
    failed, done = [], threading.Event()

    def guarded(work):
        def run():
            try:
                work()
            except Exception as error:
                failed.append(error)
                raise

        return threading.Thread(target=run)

    with inkling.open("memory://", bundle=saved) as engine:
        engine._log_impressions = False

        def write():
            for step in range(40):
                item = f"new-{step}"
                engine.put_items([{"item_id": item, "title": f"cat thing {step}"}])
                version = engine.observe([{"user_id": "busy", "item_id": item, "event": "purchase"}])
                assert item not in engine.recommend("busy", k=3, min_version=version).item_ids
            done.set()

        def ask():
            while not done.is_set():
                assert len(engine.recommend(["u1", "busy"], k=3)[0].items) == 3

        threads = [guarded(write), guarded(ask)]
        for thread in threads:
            thread.start()
        while not done.is_set() and threads[0].is_alive():
            engine.load(saved)
        done.set()
        for thread in threads:
            thread.join(30)
        assert not failed
        assert engine.get_user("busy")["n_events"] == 40
        assert engine.about()["n_events"] == len(shop.events()) + 40
