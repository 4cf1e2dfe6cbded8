"""The engine answers by the person's arm, and the log holds what a verdict needs."""

from __future__ import annotations

import threading
import time

import pytest

import inkling
from inkling.core.errors import BundleError, ConfigError
from inkling.privacy.door import Privacy

PEOPLE = [f"u{n}" for n in range(40)]
FEW = {f"members.{name}.k": 1 for name in ("popular", "itemknn", "semantic")}
HALF = {"name": "size", "arms": [{"name": "all"}, {"name": "few", "settings": FEW}]}


def plan(*experiments):
    return {"experiments": list(experiments)}


def impressions(engine):
    engine._impressions.flush()
    return [row for block in engine._log.scan() if block.kind == "impressions" for row in block.rows]


@pytest.fixture
def engine(shop):
    with shop.fitted() as engine:
        yield engine


def test_each_arm_answers_with_its_own_settings(engine):
    engine.put_experiments(plan(HALF))
    answers = engine.recommend(PEOPLE, k=5)
    arms = {answer.arm for answer in answers}
    assert arms == {"size:all", "size:few"}
    assert {len(answer.items) for answer in answers if answer.arm == "size:few"} <= {1, 2, 3}
    assert {len(answer.items) for answer in answers if answer.arm == "size:all"} == {5}
    alone = [engine.recommend(user, k=5) for user in PEOPLE]
    assert [one.item_ids for one in alone] == [one.item_ids for one in answers]
    assert [one.arm for one in alone] == [engine.arm(user) for user in PEOPLE]


def test_an_impression_holds_the_arm_and_its_chance(engine):
    weighted = {**HALF, "arms": [{"name": "all", "weight": 3}, HALF["arms"][1]], "overrides": {"tester": "few"}}
    engine.put_experiments(plan(weighted))
    for user in [*PEOPLE, "tester"]:
        engine.recommend(user)
    rows = {row["user_id"]: row for row in impressions(engine)}
    assert {(row["arm"], row["propensity"]) for who, row in rows.items() if who != "tester"} == {
        ("size:all", 0.75),
        ("size:few", 0.25),
    }
    assert rows["tester"]["arm"] == "size:few"
    assert rows["tester"]["overridden"]
    assert all("overridden" not in row for who, row in rows.items() if who != "tester")


def test_who_takes_no_part_has_no_arm(engine):
    engine.put_experiments(plan({**HALF, "share": 0.0}))
    assert engine.recommend("u1").arm == ""
    assert engine.recommend(history=["cat-toy"]).arm == ""
    assert "propensity" not in impressions(engine)[0]


def test_an_arm_answers_with_another_bundle_which_follows_the_log(engine, shop, saved):
    arms = [{"name": "old"}, {"name": "new", "bundle": str(saved)}]
    engine.put_experiments(plan({"name": "model", "arms": arms}))
    other = {user for user in PEOPLE if engine.arm(user) == "model:new"}
    found = {user: engine.recommend(user) for user in PEOPLE}
    assert 5 < len(other) < 35
    assert len({found[user].bundle for user in other}) == 1
    assert {found[user].bundle for user in PEOPLE if user not in other} == {engine.bundle_name}
    assert found[min(other)].bundle != engine.bundle_name
    user = min(other)
    left = found[user].item_ids[0]
    version = engine.observe([{"user_id": user, "item_id": left, "event": "purchase"}])
    after = engine.recommend(user, min_version=version)
    assert after.version == version
    assert left not in after.item_ids  # the shop never shows again what somebody has
    assert after.arm == "model:new"


def test_experiments_outlive_a_restart_and_reach_a_second_process(tmp_path, shop):
    with shop.fitted(f"file://{tmp_path}/log") as engine:
        engine.save(tmp_path / "bundle")
        version = engine.put_experiments(plan(HALF))
        arms = [engine.arm(user) for user in PEOPLE]
        assert engine.put_experiments(plan(HALF)) >= version  # the same again changes nothing
        answers = engine.recommend(PEOPLE, k=5)
    with (
        inkling.open(f"file://{tmp_path}/log", tmp_path / "bundle") as again,
        inkling.open(f"file://{tmp_path}/log", tmp_path / "bundle") as worker,
    ):
        assert [again.arm(user) for user in PEOPLE] == arms
        assert [one.item_ids for one in again.recommend(PEOPLE, k=5)] == [one.item_ids for one in answers]
        stopped = again.put_experiments({})
        assert again.experiments() == {"experiments": [], "version": stopped}
        assert {one.arm for one in worker.recommend(PEOPLE, min_version=stopped)} == {""}


def test_a_plan_of_another_process_is_loaded_beside_the_requests(tmp_path, shop):
    with shop.fitted(f"file://{tmp_path}/log") as engine:
        engine.save(tmp_path / "bundle")
        with inkling.open(f"file://{tmp_path}/log", tmp_path / "bundle") as worker:
            version = engine.put_experiments(plan({**HALF, "overrides": {"u1": "few"}}))
            assert worker.recommend("u1", min_version=version).arm == ""
            worker._arms._thread.join(20)
            assert worker.recommend("u1", min_version=version).arm == "size:few"


def test_what_cannot_be_loaded_is_refused_and_changes_nothing(engine, tmp_path):
    engine.put_experiments(plan(HALF))
    before = engine.version
    wrong = {"name": "size", "arms": [{"name": "all"}, {"name": "few", "settings": {"n_candidate": 3}}]}
    with pytest.raises(ConfigError, match=r"unknown key 'n_candidate'\. Did you mean 'n_candidates'"):
        engine.put_experiments(plan(wrong))
    with pytest.raises(BundleError, match="There is no bundle at"):
        engine.put_experiments(
            plan({"name": "m", "arms": [{"name": "a"}, {"name": "b", "bundle": str(tmp_path / "x")}]})
        )
    many = [
        {"name": f"e{n}", "arms": [{"name": "x", "settings": {key: value}}]}
        for n, (key, value) in enumerate(
            {"n_candidates": 3, "diversity": 0.1, "keep_always": ["popular"], "n_windows": 1}.items()
        )
    ]
    with pytest.raises(ConfigError, match="combine 15 bundles and settings; at most 8"):
        engine.put_experiments(plan(*many))
    assert engine.version == before
    assert engine.experiments()["experiments"][0]["name"] == "size"


def test_settings_need_a_bundle():
    with inkling.open() as engine, pytest.raises(ConfigError, match="no bundle is served"):
        engine.put_experiments(plan(HALF))


def test_the_log_names_no_tester_and_pseudonyms_are_dealt_alike(shop):
    with inkling.open(privacy=Privacy(pseudonyms=True), secret=b"x" * 16, scenario=shop.SCENARIO) as engine:
        engine.observe(shop.events())
        engine.put_experiments(plan({"name": "e", "arms": [{"name": "a"}], "overrides": {"ann": "a"}, "share": 0}))
        assert engine.recommend("ann").arm == "e:a"
        assert engine.recommend("bob").arm == ""
        assert "ann" not in str(engine.experiments()["experiments"])


def test_a_fit_keeps_the_experiment_running(engine, shop):
    engine.put_experiments(plan(HALF))
    before = {user: engine.arm(user) for user in PEOPLE}
    old = engine.bundle_name
    engine.fit(settings=shop.QUICK)
    answers = dict(zip(PEOPLE, engine.recommend(PEOPLE, k=5), strict=True))
    assert engine.bundle_name != old
    assert {answer.bundle for answer in answers.values()} == {engine.bundle_name}
    assert {user: answer.arm for user, answer in answers.items()} == before
    assert max(len(one.items) for one in answers.values() if one.arm == "size:few") <= 3


def test_erasing_a_person_reaches_the_arms(engine, saved, tmp_path, shop):
    engine.save(tmp_path / "own")
    engine.put_experiments(plan({"name": "m", "arms": [{"name": "b", "bundle": str(tmp_path / "own")}]}))
    engine.erase("u3")
    assert '"u3"' not in (tmp_path / "own" / "history" / "users.json").read_text()
    assert engine.recommend("u3").arm == "m:b"


def test_writers_that_meet_a_swap_are_heard_at_once(engine, tmp_path):
    """A write through the serving before the swap must reach the one after it without waiting."""
    engine.save(tmp_path / "b")
    errors, stop = [], threading.Event()

    def write(n):
        step = 0
        while not stop.is_set():
            user = f"w{n}-{step}"
            engine.observe([{"user_id": user, "item_id": "cat-toy", "event": "purchase"}])
            if engine.get_user(user)["n_events"] != 1:
                errors.append(user)
            step += 1
            time.sleep(0.002)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        engine.load(tmp_path / "b")
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
