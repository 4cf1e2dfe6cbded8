"""Learning from a store's own log: by hand, and beside a server."""

from __future__ import annotations

import random
import shutil
import time
from argparse import Namespace

import pytest

import inkling
from inkling.cli import _renewal, main
from inkling.cli._renewal import learner, renewed
from inkling.core.errors import ConfigError, StoreError
from inkling.engine.bundles import Bundles
from tests.cli.conftest import COLOURS, THINGS


@pytest.fixture
def place(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture
def store(place, tmp_path):
    """A store in which new people with the old tastes bought for a month."""
    with inkling.open(f"file://{tmp_path}/log", place) as engine:
        engine.observe(bought(0, 40))
    return f"file://{tmp_path}/log"


def bought(first, n):
    rng = random.Random(first)
    rows = []
    for user in range(first, first + n):
        own = [f"{COLOURS[user % 3]}-{thing}" for thing in THINGS]
        for _ in range(8):
            second = 1_600_000_000 + 60 * 86_400 + rng.randrange(30 * 86_400)
            rows.append({"user_id": f"n{user}", "item_id": rng.choice(own), "timestamp": second, "event": "purchase"})
    return sorted(rows, key=lambda row: row["timestamp"])


def test_refit_judges_keeps_and_goes_back(place, store, capsys):
    assert main(["refit", str(place), "--store", store]) == 0
    said = capsys.readouterr().out
    bundles = Bundles(place)
    note = bundles.pointer().notes[-1]
    assert note["n_people"] >= 20
    assert ("answers from now on" in said) == note["accepted"]
    if not note["accepted"]:
        assert "Nothing changed" in said
        return
    assert bundles.current() != place
    with inkling.open(store, bundles.current()) as engine:
        assert engine.bundle.base.n_users == 45 + 40
        assert engine.about()["n_events"] == 45 * 14 + 320
    assert main(["refit", str(place), "--rollback"]) == 0
    assert str(place) in capsys.readouterr().out.replace("\n", "")
    assert bundles.current() == place


def test_too_few_people_change_nothing(place, store, capsys):
    assert main(["refit", str(place), "--store", store, "--min-people", "1000"]) == 0
    assert "Nothing changed: only" in capsys.readouterr().out
    assert Bundles(place).current() == place
    assert Bundles(place).pointer().notes[-1]["accepted"] is False


def test_update_folds_the_log_in(place, store, capsys):
    assert main(["update", str(place), "--store", store]) == 0
    assert "holds 950 events" in capsys.readouterr().out
    with inkling.open(store, place) as before, inkling.open(store, Bundles(place).current()) as after:
        for user in ("u1", "n1", "n2", "nobody"):
            assert before.recommend(user).item_ids == after.recommend(user).item_ids
        assert after.bundle.state_version >= 320


@pytest.mark.parametrize("command", ["refit", "update"])
def test_a_log_in_memory_is_nothing_to_learn_from(command, place, capsys):
    assert main([command, str(place)]) == 2
    assert "--store is missing" in capsys.readouterr().err


def test_beside_a_server_it_learns_and_the_result_is_swapped_in(place, store, monkeypatch):
    done = []

    def here(bundle, address):  # in this process: another one costs the test a start of Python
        return lambda: done.append(main(["refit", bundle, "--store", address]))

    monkeypatch.setattr(_renewal, "learner", here)
    args = Namespace(bundle=str(place), store=store, refit_every="100-events", experiments=None)
    with inkling.open(store, place) as engine:
        before = engine.bundle_name
        with renewed(engine, args):
            engine.observe(bought(40, 40))
            until = time.monotonic() + 40
            while not Bundles(place).pointer().notes and time.monotonic() < until:
                assert engine.recommend("n1").items
                time.sleep(0.05)
            notes = Bundles(place).pointer().notes
            assert notes, done
            while notes[-1]["accepted"] and engine.bundle_name == before and time.monotonic() < until:
                time.sleep(0.05)
        assert (engine.bundle_name != before) == notes[-1]["accepted"]
        assert engine.get_user("n77")["n_events"] == 8


def test_experiments_of_a_file_run(place, store, tmp_path):
    path = tmp_path / "experiments.toml"
    path.write_text('[[experiments]]\nname = "e"\narms = [{name = "a"}, {name = "b"}]\n')
    with inkling.open(store, place) as engine:
        args = Namespace(bundle=str(place), store="memory://", refit_every=None, experiments=str(path))
        with renewed(engine, args):
            assert engine.recommend("u1").arm in ("e:a", "e:b")


def test_what_cannot_be_scheduled(place, store):
    with inkling.open() as engine:
        for args, message in (
            (Namespace(bundle=str(place), store="memory://", refit_every="24", experiments=None), "--store is missing"),
            (
                Namespace(bundle=str(place), store=store, refit_every="often", experiments=None),
                "does not say how often",
            ),
        ):
            with pytest.raises(ConfigError, match=message), renewed(engine, args):
                pass
    with pytest.raises(StoreError, match="inkling refit ended with 2"):
        learner(str(place / "none"), store)()
