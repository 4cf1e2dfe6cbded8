"""Subjects are files; contenders are asked over pipes, servers at a pace; statistics and goals follow from numbers."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from bench.latency import __main__ as subjects
from bench.latency import _mixed, _paced, peers
from bench.latency._asked import Contender, ContenderError, Told, peer_python, spare_core
from bench.latency._columns import columns, various
from bench.latency._piped import timed
from bench.latency._servers import Under, _http_answers, free_port, redis
from bench.latency._world import CANDIDATES, EVENTS, World

ROOT = Path(__file__).parents[2]


class TestSubjects:
    def test_a_file_is_a_subject(self, capsys):
        known = subjects.subjects()
        assert {"peers", "served"} <= set(known)
        assert not any(name.startswith("_") for name in known)
        assert all(len(said) > 15 for said in known.values())
        assert subjects.main([]) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name} " in shown for name in known)

    def test_an_unknown_subject_shows_the_nearest(self, capsys):
        assert subjects.main(["peer"]) == 2
        assert "Did you mean 'peers'?" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["peers", "served"])
    def test_a_subject_runs_with_its_options(self, name):
        command = [sys.executable, "-m", "bench", "latency", name, "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: bench.latency.{name}")
        assert "--quick" in done.stdout

    def test_peers_are_pinned_and_say_what_they_are(self):
        for name in ("tuned", "assembled"):
            folder = ROOT / "bench" / "latency" / f"peer_{name}"
            assert all("==" in pin for pin in (folder / "pins.txt").read_text().splitlines())
            assert (folder / "app.py").is_file()
            assert (folder / "pipe.py").is_file()

    def test_an_interpreter_that_is_given_is_taken(self, tmp_path):
        assert peer_python("tuned", {"tuned": "/some/python"}, out=tmp_path) == Path("/some/python")
        assert peers.pair("tuned=/x") == ("tuned", "/x")
        with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=PATH"):
            peers.pair("other=/x")


def toy(core=-1):
    return Contender("toy", [sys.executable, "-m", "tests.bench.toy_asked", str(core)])


class TestContender:
    def test_it_answers_over_a_pipe_and_is_timed_inside(self):
        with toy(spare_core(0)) as one:
            assert one.open().about["ranker"] == "toy"
            told = one.ask("people", ["ann", "bob"], 2)
            assert told.ids == [["ann-0", "ann-1"], ["bob-0", "bob-1"]]
            assert (told.wall_ns > 0).all()
            assert told.mb > 1
            assert one.ask("texts", ["red mug"], 5).ids == [["red", "mug"]]

    def test_what_it_says_when_it_fails_is_told(self):
        with toy() as one:
            one.open()
            with pytest.raises(ContenderError, match="no such person"):
                one.ask("people", ["nobody"], 2)
        with (
            Contender("toy", [sys.executable, "-m", "tests.bench.toy_asked", "ends"]) as one,
            pytest.raises(ContenderError, match="toy ended: there is no world"),
        ):
            one.open()

    def test_the_clock_runs_for_each_answer(self):
        wall, _, told = timed(lambda one, k: (time.sleep(0.01), [(one, 1.0)] * k)[1], ["a", "b"], 3)
        assert (wall >= 10e6).all()
        assert told == [["a"] * 3, ["b"] * 3]


class Stub:
    """A contender that takes so many microseconds."""

    def __init__(self, name, us):
        self.name, self.us, self.asked = name, us, []

    def ask(self, kind, asked, k):
        self.asked.append(list(asked))
        ns = np.full(len(asked), self.us * 1000)
        return Told([[f"{one}{at}" for at in range(k)] for one in asked], ns, ns, 10.0)


class TestStatistics:
    def test_everyone_is_asked_the_same_by_turns(self):
        stubs = [Stub("ours", 100), Stub("tuned", 500)]
        found = peers.by_turns(stubs, "people", [f"u{at}" for at in range(10)], k=2, rounds=3)
        assert stubs[0].asked == stubs[1].asked
        assert sum(map(len, stubs[0].asked)) == 10
        rows = {name: peers.row(answers) for name, answers in found.items()}
        assert rows["ours"]["p50_us"] == 100
        assert rows["tuned"]["per_s"] == pytest.approx(2000)
        assert peers.ratios(rows)["tuned"] == pytest.approx({"throughput": 5, "throughput_cpu": 5, "p50": 5})
        assert peers.ratios({"tuned": rows["tuned"]}) == {}

    def test_p99_is_of_all_rounds(self):
        slow = Told([[]] * 100, np.r_[np.full(98, 1000), np.full(2, 9000)], np.full(100, 1000), 1.0)
        assert peers.row([slow])["p99_us"] > peers.row([slow])["p50_us"] == 1.0

    def test_lists_agree_by_their_items(self):
        assert peers.agreement([["a", "b"], ["c", "d"]], [["b", "a"], ["c", "x"]]) == 0.75
        assert peers.agreement([[]], [["a"]]) == 0.0

    def test_goals_are_judged_from_what_was_measured(self):
        rows = {"ours": {"p50_us": 400.0, "p99_us": 2500.0}}
        found = {"generated, people": {"rows": rows, "ratios": {"tuned": {"throughput": 2.5}}}}
        judged = {what.split(": ")[1]: reached for what, _, _, reached in peers.goals(found)}
        assert judged == {
            "throughput, times the tuned peer's": False,
            "p50 of ours, ms": True,
            "p99 of ours, ms": False,
        }
        assert peers.goals({}) == []


@pytest.fixture
def tiny(tmp_path):
    """A world of twenty items, without a model."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20, 8)).astype(np.float32)
    arrays = {
        "vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "table": rng.random((20, 12)).astype(np.float32),
        "kinds": np.arange(20, dtype=np.int32) % 3,
        "offsets": np.array([0, 3, 3]),
        "events": np.array([4, 7, 4], dtype=np.int32),
        "times": np.array([0, 86_400_000, 2 * 86_400_000]),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    about = {"n_items": 20, "n_people": 2, "now": 4 * 86_400_000, "seen": "drop", "columns": "many"}
    (tmp_path / "about.json").write_text(json.dumps(about))
    return World.read(tmp_path)


class TestColumns:
    def test_what_is_known_of_a_person_and_an_item(self, tiny):
        rows, past = np.array([4, 1]), tiny.history(0)
        scores = np.array([0.9, 0.1], dtype=np.float32)
        found = columns(tiny, rows, scores, past)
        assert found.shape == (2, 24)
        assert found[0, 17:19].tolist() == [2, 2]  # had twice, two days ago
        assert found[1, 17] == 0
        assert np.isnan(found[1, 18])
        assert found[:, 19].tolist() == [3, 3]  # all are of the same kind
        assert found[0, 14] == pytest.approx(1.0)
        assert found[:, 22:24].tolist() == [[3, 2], [3, 2]]

    def test_few_columns_are_those_of_the_pipeline_for_large_catalogues(self, tiny):
        from inkling.engine.pipelines import _lean_columns as lean

        tiny.about["columns"] = "few"
        rows, (had, times) = np.arange(10, dtype=np.int32), tiny.history(0)
        person = tiny.vectors[7]
        rows = rows[np.argsort(-(tiny.vectors[rows] @ person))]
        products = tiny.vectors[rows] @ person
        ours = lean.columns(
            products,
            (float(products[0]), np.arange(10)),
            tiny.vectors[rows],
            lean.recent_of(tiny.vectors, lean.Past(had, times)),
            tiny.table[rows, 1],
        )
        theirs = columns(tiny, rows, products, (had, times))
        assert np.allclose(theirs, np.stack(list(ours.values()), axis=1), atol=1e-5)

    def test_for_whom_nothing_is_known_the_rest_is_unknown(self, tiny):
        found = columns(tiny, np.array([1, 2]), np.ones(2, dtype=np.float32), tiny.history(1))
        assert np.isnan(found[:, 14:22]).all()
        assert not np.isnan(found[:, :14]).any()

    def test_variety_is_that_of_the_policy(self, tiny):
        from inkling.policy import diversify

        scores = np.linspace(1, 0, 20).astype(np.float32)
        likeness = tiny.vectors @ tiny.vectors.T
        assert various(tiny.vectors, scores, 6, relevance=0.7) == diversify._mmr(scores, likeness, 0.7, 6)
        assert various(tiny.vectors, scores, 3, relevance=1.0) == [0, 1, 2]


class TestWorld:
    def test_a_generated_world_is_served_by_ours(self, tmp_path):
        pytest.importorskip("torch", reason="the network is exported")
        pytest.importorskip("onnx", reason="and quantised")
        from bench.latency._bundles import bundle_of
        from bench.latency._ours import Ours
        from bench.latency._worlds import generated

        world = generated(600, 30, out=tmp_path)
        assert world.vectors.shape == (600, 64)
        assert np.allclose(np.linalg.norm(world.vectors, axis=1), 1, atol=1e-5)
        assert np.diff(world.histories[0]).tolist() == [EVENTS] * 30
        assert world.array("lessons").shape == (30 * CANDIDATES, 5)
        assert 0.01 < world.array("labels").mean() < 0.9
        assert world.about["int8_agreement"] > 0.99
        assert generated(600, 30, out=tmp_path).folder == world.folder
        for order in ("mimic", "gbdt"):
            ours = Ours(bundle_of(world, order, out=tmp_path))
            assert ours.about()["pipeline"] == "lean"
            found = ours.for_person("u3", 10)
            assert len(found) == 10
            assert not {item_id for item_id, _ in found} & {f"i{row}" for row in world.history(3)[0]}


# -- servers ----------------------------------------------------------------------------------------------------------


class Shop:
    """An ASGI application: a person's list is six items less the last that they took; it counts what it was asked."""

    def __init__(self, *, listens=True, delay=0.0):
        self.taken, self.asked, self.listens, self.delay = {}, [], listens, delay

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        message = await receive()
        said = json.loads(message["body"]) if message["body"] else {}
        self.asked.append(scope["path"])
        await asyncio.sleep(self.delay)
        status, answer = self.answer(scope["path"], said)
        body = json.dumps(answer).encode()
        headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def answer(self, path, said):
        if path == "/healthz":
            return 200, {}
        if path == "/v1/events":
            if self.listens:
                self.taken |= {event["user_id"]: event["item_id"] for event in said["events"]}
            return 202, {"accepted": len(said["events"])}
        if said.get("user_id") == "nobody":
            return 404, {"error": "there is no such person"}
        last = self.taken.get(said.get("user_id"))
        return 200, {"items": [{"item_id": f"i{n}", "score": 1.0} for n in range(6) if f"i{n}" != last]}


@pytest.fixture
def shop():
    """A running server with its application, by port."""
    running = []

    def start(**more):
        app = Shop(**more)
        server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not _http_answers(server.config.port):
            assert time.monotonic() < until
            time.sleep(0.02)
        running.append((server, thread))
        return app, server.config.port

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=10)


class TestPaced:
    def test_questions_are_due_at_their_rate(self):
        due = list(_paced.due(200, 10.0))
        assert len(due) == pytest.approx(2000, rel=0.1)
        assert due == sorted(due)
        assert max(due) < 10
        assert due == list(_paced.due(200, 10.0))

    def test_a_pace_is_held_and_timed_from_when_it_was_due(self, shop):
        app, port = shop()
        bodies = [json.dumps({"user_id": "ann", "k": 3})]
        found = asyncio.run(_paced.run(port, "/v1/recommend", bodies, rate=100, seconds=0.5, connections=4))
        assert found["n"] == app.asked.count("/v1/recommend") == len(list(_paced.due(100, 0.5)))
        assert found["kept_up"]
        assert found["n_bad"] == 0
        assert 0 < found["p50_ms"] <= found["p99_ms"]

    def test_a_server_that_falls_behind_cannot_hide_it(self, shop):
        _, port = shop(delay=0.05)
        bodies = [json.dumps({"user_id": "ann"})]
        found = asyncio.run(_paced.run(port, "/v1/recommend", bodies, rate=100, seconds=0.5, connections=1))
        assert found["p99_ms"] > 500  # twenty a second are answered: the last waited for all before it

    def test_what_is_refused_is_counted(self, shop):
        _, port = shop()
        found = asyncio.run(
            _paced.run(port, "/v1/recommend", ['{"user_id": "nobody"}'], rate=50, seconds=0.2, connections=1)
        )
        assert found["n_bad"] == found["n"] > 0
        assert "404" in found["first_bad"]


class TestMixed:
    def test_every_event_changes_its_persons_list(self, shop):
        app, port = shop()
        people = [f"u{at}" for at in range(20)]
        asked = _mixed.run(port, people, rate=60, seconds=0.5, connections=4, event="purchase")
        found = asyncio.run(asked)
        assert found["n_bad"] == found["n_unchanged"] == found["n_only_when_asked_again"] == 0
        assert app.asked.count("/v1/events") == len(list(_paced.due(60, 0.5)))
        assert found["changed_p50_ms"] >= found["accepted_p50_ms"] > 0
        assert found["recommendations_per_s"] == pytest.approx(found["events_per_s"])

    def test_a_server_that_does_not_listen_is_found_out(self, shop):
        app, port = shop(listens=False)
        asked = _mixed.run(port, ["ann", "bob"], rate=20, seconds=0.3, connections=2, event="purchase")
        found = asyncio.run(asked)
        n = app.asked.count("/v1/events")
        assert found["n_unchanged"] == n > 0
        assert app.asked.count("/v1/recommend") == 2 + n * _mixed.AGAIN
        assert np.isnan(found["changed_p99_ms"])


class TestServed:
    @pytest.fixture(autouse=True)
    def served(self, monkeypatch):
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"):
            monkeypatch.setenv(name, "1")  # the bench states so on import, before numpy
        from bench.latency import served

        return served

    def test_the_highest_pace_that_holds_is_found(self, served):
        def measure(rate):
            return {"p99_ms": 5.0 if rate <= 700 else 50.0, "kept_up": True, "n_bad": 0, "per_s": rate}

        found = served.highest(measure, 1000.0, steps=8)
        assert 670 < found["per_s"] <= 700
        assert len(found["tried"]) == 8

    def test_a_pace_that_is_not_held_does_not_count(self, served):
        late = {"p99_ms": 5.0, "kept_up": False, "n_bad": 0, "per_s": 900.0}
        assert served.highest(lambda rate: late, 1000.0, steps=3)["per_s"] == 0

    def test_memory_grows_from_the_first_minute_on(self, served):
        flat = [(float(at), 100.0 + (50.0 if at < 30 else 60.0 if at < 60 else 80.0)) for at in range(300)]
        assert served.growth(flat) == pytest.approx(0.0)
        assert served.growth([(float(at), 100.0 + at) for at in range(300)]) == pytest.approx(385 / 175 - 1, rel=0.1)
        assert served.growth([]) == 0.0

    def test_goals_are_judged_from_what_was_measured(self, served):
        steady = {"changed_p99_ms": 12.0, "n_bad": 0, "n_unchanged": 1, "growth": 0.01}
        kinds = {
            "recommend": {"ours": {"per_s": 2600.0}, "tuned": {"per_s": 1000.0}},
            "batches": {"ours": {"failed": "the disk is full"}},
            "mixed": {"ours": steady},
        }
        judged = {what.removeprefix("shop: "): reached for what, _, _, reached in served.goals({"shop": kinds})}
        assert judged == {
            "recommendations a second, p99 <= 10 ms": True,
            "times the tuned peer's": False,
            "event to changed list, p99 ms": True,
            "errors, and events without effect": False,
            "growth of memory after a minute": True,
        }
        assert "failed: the disk is full" in served.line("batches", "ours", kinds["batches"]["ours"])

    def test_a_server_is_loaded_by_a_client_of_its_own(self, served, shop, tiny, tmp_path):
        _, port = shop()
        tiny.about["name"] = "generated"
        options = argparse.Namespace(core=0, k=3, seconds=0.2)
        under = Under("toy", port, ())
        found = served.accepted(under, tiny, options, size=100, clients=2)
        assert found["events_per_s"] == pytest.approx(100 * found["per_s"])
        with pytest.raises(ContenderError, match="The client failed"):
            served.client("_load", Under("gone", free_port(), ()), ["{}"], core=-1, path="/", seconds=0.1)

    def test_without_redis_there_is_no_address(self, monkeypatch, tmp_path):
        monkeypatch.setattr("shutil.which", lambda name: None)
        with redis(None, tmp_path, core=-1) as found:
            assert found == ("", ())

    def test_a_port_is_free(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", free_port()))
