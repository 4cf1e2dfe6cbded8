"""The engine learns from its own log, takes over only what is no worse, and goes back by one call."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import inkling
from inkling.core.errors import BundleError, RequestError
from inkling.core.scenario import Scenario
from inkling.feedback.gate import Verdict

DAY = 86_400_000


def later(shop, n_users=40, days=60, seed=1):
    """New people with the same tastes, after all that the shop knows."""
    rows = shop.events(n_users, seed=seed)
    return [{**row, "user_id": "n" + row["user_id"], "timestamp": row["timestamp"] + days * DAY} for row in rows]


@pytest.fixture
def engine(shop):
    with shop.fitted() as engine:
        yield engine


def answers(engine, people):
    return [(one.item_ids, [item.score for item in one.items]) for one in engine.recommend(people, k=8)]


def test_save_restart_and_go_on_equals_uninterrupted(tmp_path, shop):
    with shop.fitted(f"file://{tmp_path}/log") as engine:
        engine.save(tmp_path / "first")
        engine.put_items([{"item_id": "cat-fish", "title": "cat fish", "categories": ["cat"]}])
        engine.observe(later(shop))
        engine.read_all()
        made = engine.update()
        made.write(tmp_path / "second")
        new = {"user_id": "nu1", "item_id": "car-wax", "event": "purchase", "timestamp": shop.START + 200 * DAY}
        engine.observe([new, {**new, "user_id": "u4", "item_id": "cat-fish"}])
        people = [f"u{n}" for n in range(10)] + [f"nu{n}" for n in range(10)]
        uninterrupted = answers(engine, people)
    for name in ("first", "second"):
        with inkling.open(f"file://{tmp_path}/log", tmp_path / name) as again:
            again.read_all()
            found = answers(again, people)
            assert [ids for ids, _ in found] == [ids for ids, _ in uninterrupted]
            for (_, mine), (_, theirs) in zip(found, uninterrupted, strict=True):
                np.testing.assert_allclose(mine, theirs, atol=2e-6)
            assert again.about()["n_events"] == 40 * 4 * 2 + 2


def test_an_update_leaves_less_to_replay(tmp_path, shop):
    with shop.fitted(f"file://{tmp_path}/log") as engine:
        engine.observe(later(shop))
        made = engine.update()
        assert 0 < made.state_version < engine.version
        assert made.reflects(engine._log) == made.state_version
        assert made.base.n_users == 80
        assert engine.bundle_name != made.id


def test_a_model_that_is_no_worse_is_returned_and_knows_the_new_events(engine, shop):
    before = engine.bundle_name
    engine.observe(later(shop))
    made, verdict = engine.renew()
    assert verdict.accepted, verdict.why
    assert verdict.n_people >= 20
    assert verdict.after >= verdict.before
    assert made.base.n_users == 80
    assert made.quality["newest"] == verdict.after
    assert engine.bundle_name == before  # nothing is swapped by itself
    assert engine.swap(made) == before
    assert engine.bundle_name == made.id
    assert len(engine.recommend("nu3").items) > 0
    assert engine.about()["n_events"] == 320
    assert engine.rollback() == before
    assert engine.about()["n_events"] == 320
    rows = [row for block in engine._log.scan() if block.kind == "bundle" for row in block.rows]
    assert {"swapped": made.id, "from": before} in rows


def test_a_model_that_is_worse_is_refused(engine, shop, monkeypatch):
    engine.observe(later(shop))

    def spoiled(self, data, run, *, full, minutes):
        made = self.bundle.pipeline().refit(data, run)
        good = made.recommend

        def worst(query, k, trace):
            found = good(query, 1, trace)
            return found

        made.recommend = worst
        return made

    monkeypatch.setattr(type(engine), "_learned", spoiled)
    made, verdict = engine.renew()
    assert made is None
    assert not verdict.accepted
    assert "worse" in verdict.why


def test_too_few_new_events_judge_nothing(engine, shop):
    made, verdict = engine.renew()
    assert made is None
    assert "0 new events hold nothing to judge by" in verdict.why
    engine.observe(later(shop, n_users=14))
    made, verdict = engine.renew()
    assert made is None
    assert "20 are needed" in verdict.why
    made, verdict = engine.renew(min_people=5)
    assert verdict.n_people >= 5


def test_a_full_fit_chooses_anew(engine, shop):
    engine.observe(later(shop))
    made, verdict = engine.renew(full=True)
    assert verdict.n_people >= 20
    assert made is None or made.pipeline_name == engine.bundle.pipeline_name


def test_nothing_was_fitted():
    with inkling.open(scenario=Scenario()) as engine:
        for verb in (engine.update, engine.renew):
            with pytest.raises(RequestError, match="this engine was not fitted"):
                verb()
        with pytest.raises(RequestError, match="no bundle to go back to"):
            engine.rollback()


def test_a_bundle_that_is_missing_changes_nothing(engine, tmp_path):
    before = engine.bundle_name
    with pytest.raises(BundleError, match="There is no bundle at"):
        engine.swap(tmp_path / "none")
    assert engine.bundle_name == before


def test_no_answer_and_no_write_is_lost_while_bundles_are_swapped(engine, saved):
    errors, stop = [], threading.Event()
    n_answers, n_writes = [], []

    def ask():
        while not stop.is_set():
            try:
                assert engine.recommend("u1", k=3).items
                n_answers.append(1)
            except Exception as error:
                errors.append(repr(error))

    def write():
        while not stop.is_set():
            try:
                version = engine.observe([{"user_id": f"x{len(n_writes)}", "item_id": "cat-toy", "event": "purchase"}])
                assert engine.recommend(f"x{len(n_writes)}", min_version=version).version >= version
                n_writes.append(version)
            except Exception as error:
                errors.append(repr(error))

    threads = [threading.Thread(target=ask), threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        engine.swap(saved)
        engine.rollback()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert n_answers
    assert sum(engine.get_user(f"x{n}")["n_events"] for n in range(len(n_writes))) == len(n_writes)


def test_answers_are_counted_by_arm_and_bundle(engine):
    engine.put_experiments({"experiments": [{"name": "e", "arms": [{"name": "a"}, {"name": "b"}]}]})
    for n in range(20):
        answer = engine.recommend(f"u{n}")
        if n % 2:
            event = {"user_id": f"u{n}", "item_id": answer.item_ids[0], "event": "purchase"}
            engine.observe([{**event, "recommendation_id": answer.id}])
    rows = engine.feedback(wait_s=10)
    assert {row["arm"] for row in rows} == {"e:a", "e:b"}
    assert sum(row["answers"] for row in rows) == 20
    assert sum(row["converted"] for row in rows) == 10
    assert {row["bundle"] for row in rows} == {engine.bundle_name}


def test_a_verdict_is_plain_data():
    assert Verdict(accepted=True, why="x").told()["accepted"] is True
