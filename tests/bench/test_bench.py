"""Every bench runs on small settings, says what it measured, and keeps it; a verdict follows from its numbers."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inkling
from bench import __main__ as catalogue
from bench import _kept, _load, _noise, _shop, _tree, answer, demo, http, startup
from inkling.core.scenario import Scenario

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    [path.stem for path in (ROOT / "bench").glob("[a-z]*.py")]
    + [path.parent.name for path in (ROOT / "bench").glob("*/__main__.py")]
)
QUICK = {
    "members": {
        "popular": {"retriever": "popular", "k": 30},
        "itemknn": {"retriever": "itemknn", "k": 30},
    },
    "encoder": "hashing",
    "n_windows": 2,
    "order": "fused",
}


def purchases(n_users=30, n_items=12, each=6):
    """Each person buys six things of a circle of twelve, one after the other, from a place of their own."""
    day, start = 86_400_000, 1_600_000_000_000
    return [
        {
            "user_id": f"u{user}",
            "item_id": f"i{(user + step) % n_items}",
            "event": "purchase",
            "timestamp": start + (step * 3 + user % 3) * day + user * 1000,
        }
        for user in range(n_users)
        for step in range(each)
    ]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of a tiny shop."""
    path = tmp_path_factory.mktemp("bench") / "bundle"
    with inkling.open(scenario=Scenario(positive={"purchase": 1.0}, settings=QUICK)) as engine:
        engine.put_items([{"item_id": f"i{n}", "title": f"thing {n}"} for n in range(12)])
        engine.observe(purchases())
        engine.fit()
        engine.save(path)
    return path


class TestCatalogue:
    def test_the_folder_is_the_list(self, capsys):
        assert list(catalogue.benches()) == NAMES
        assert {"quality", "answer", "startup", "demo", "http"} <= set(NAMES)
        assert catalogue.main([]) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name} " in shown for name in NAMES)

    def test_every_bench_says_what_it_measures(self):
        assert all(len(said) > 15 and "``python" not in said for said in catalogue.benches().values())

    def test_an_unknown_name_shows_the_nearest(self, capsys):
        assert catalogue.main(["qualty"]) == 2
        assert "Did you mean 'quality'?" in capsys.readouterr().err

    def test_a_name_runs_with_its_options(self):
        done = subprocess.run(
            [sys.executable, "-m", "bench", "demo", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert done.stdout.startswith("usage: bench.demo")

    @pytest.mark.parametrize("name", NAMES)
    def test_every_bench_has_a_line_in_the_readme(self, name):
        assert f"`python -m bench {name}`" in (ROOT / "bench" / "README.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", ["quality", "answer", "startup", "demo", "http"])
    def test_help_says_what_the_docstring_says(self, name, capsys):
        with pytest.raises(SystemExit) as stopped:
            importlib.import_module(f"bench.{name}").main(["--help"])
        assert stopped.value.code == 0
        assert "--out" in capsys.readouterr().out


class TestKept:
    def test_results_are_one_file_with_the_machine_beside_them(self, tmp_path):
        path = _kept.keep("some", {"n": 1}, out=tmp_path / "new")
        _kept.keep("some", {"n": 2}, out=tmp_path / "new")
        found = json.loads(path.read_text())
        assert (found["bench"], found["n"]) == ("some", 2)
        assert found["machine"]["libraries"]["numpy"] == np.__version__
        assert [one.name for one in path.parent.iterdir()] == ["some.json"]

    def test_a_library_that_is_not_there_is_a_dash(self):
        assert _kept._version("no-such-library") == "-"

    def test_threads_cannot_be_set_too_late(self, monkeypatch):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
        with pytest.raises(RuntimeError, match="numpy was imported before"):
            _kept.one_thread()


class TestShop:
    def test_people_are_different_and_had_something(self, bundle):
        people = _shop.people_of(bundle, 10)
        assert len(set(people)) == 10
        assert people[0] in {f"u{n}" for n in range(30)}
        assert len(_shop.people_of(bundle, 500)) == 30

    def test_a_bundle_is_fitted_once_and_an_older_one_goes(self, tmp_path, monkeypatch):
        fitted = []
        monkeypatch.setattr(_shop, "fit_shop", lambda path: (path.mkdir(parents=True), fitted.append(path)))
        (tmp_path / "shop-000000000000").mkdir()
        first, second = _shop.shop_bundle(out=tmp_path), _shop.shop_bundle(out=tmp_path)
        assert fitted == [first] == [second]
        assert [path.name for path in tmp_path.iterdir()] == [f"shop-{_shop.source_key()}"]
        assert _shop.shop_bundle(tmp_path / "mine", out=tmp_path) == tmp_path / "mine"


class TestAnswer:
    def test_every_person_is_asked_once(self, bundle, tmp_path, capsys):
        assert answer.main(["--bundle", str(bundle), "--people", "25", "--out", str(tmp_path)]) == 0
        found = json.loads((tmp_path / "answer.json").read_text())
        assert found["n_people"] == 25
        assert found["ms"]["wall"]["p50"] >= max(found["ms"][stage]["p50"] for stage in ("state", "recall", "rank"))
        assert found["reached"] == (found["ms"]["wall"]["p50"] <= 1.0)
        shown = capsys.readouterr().out
        assert "goal: p50 <= 1 ms" in shown
        assert "machine factor" in shown

    def test_the_factor_is_the_median_over_the_best(self):
        noise = _noise.Noise({name: [10.0, 20.0, 30.0] for name in _noise.WORK})
        assert noise.factor == 2.0
        noise.sample()
        assert [len(took) for took in noise.took_us.values()] == [4, 4]

    def test_the_fixed_work_is_fixed(self):
        assert _noise.python_loop() == sum(number**2 for number in range(10_000))
        assert _noise.numpy_op() == _noise.numpy_op()


class TestDemo:
    def test_memory_of_children_counts(self):
        child = "import time; held = bytearray(80_000_000); time.sleep(.8)"
        parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        found = demo.account([sys.executable, "-c", parent], echo=False)
        assert found["status"] == 0
        assert found["n_processes"] >= 2
        assert found["peak_tree_mb"] > 80
        assert found["peak_tree_mb"] > found["peak_process_mb"]
        assert 0.5 < found["wall_s"] < 30

    def test_a_command_that_fails_is_told(self, tmp_path, capsys):
        command = f"{sys.executable} -c 'raise SystemExit(3)'"
        assert demo.main(["--command", command, "--out", str(tmp_path)]) == 1
        found = json.loads((tmp_path / "demo.json").read_text())
        assert (found["status"], found["reached"]) == (3, False)
        assert "status              3" in capsys.readouterr().out

    def test_goals_are_missed_by_so_much(self):
        slow = {"status": 0, "wall_s": 130.0, "cpu_s": 1.0, "peak_tree_mb": 4000.0, "peak_process_mb": 1.0}
        said = demo.report({**slow, "n_processes": 2, "load_before": 0.0})
        assert "missed by 10 s" in said
        assert "missed by 928 MB" in said

    def test_a_process_that_is_gone_holds_nothing(self):
        assert _tree.rss_mb(2**22 + 1) == _tree.cpu_s(2**22 + 1) == 0.0


class TestHttp:
    def test_one_worker_answers_and_takes_events(self, bundle, tmp_path, capsys):
        words = ["--bundle", str(bundle), "--seconds", ".3", "--people", "20", "--out", str(tmp_path)]
        assert http.main(words) == 0
        found = json.loads((tmp_path / "http.json").read_text())
        assert [row["connections"] for row in found["recommend"]] == [1, 8]
        assert all(row["n"] > 0 and row["n_bad"] == 0 for row in (*found["recommend"], *found["events"]))
        assert found["events"][0]["events_per_s"] == pytest.approx(100 * found["events"][0]["per_s"])
        assert found["server_rss_mb"] > 20
        assert [path.name for path in tmp_path.iterdir()] == ["http.json"]  # the store is gone
        assert "events, fsync, 100 a call" in capsys.readouterr().out

    def test_batches_are_of_different_events(self):
        made = http.batches(["a", "b"], ["x", "y", "z"])
        assert len(made) == http.N_BATCHES
        assert len(json.loads(made[0])["events"]) == http.BATCH

    def test_a_request_is_whole(self):
        raw = _load.request("/v1/recommend", '{"user_id": "é"}', 80)
        head, _, body = raw.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head

    def test_percentiles_are_those_of_the_nearest_rank(self):
        ordered = [float(n) for n in range(1, 101)]
        assert (_load.percentile(ordered, 0.5), _load.percentile(ordered, 0.99)) == (50.0, 99.0)
        assert np.isnan(_load.percentile([], 0.5))

    def test_a_server_that_does_not_come_up_says_why(self, tmp_path):
        from bench._served import served

        with pytest.raises(RuntimeError, match="ended before it answered"), served(tmp_path / "none"):
            pass

    def test_a_refused_call_ends_the_bench(self, bundle):
        from bench._served import served

        with served(bundle) as server, pytest.raises(RuntimeError, match="were refused, such as: 4"):
            http.load(server, "/v1/recommend", ['{"k": 0}'], connections=1, seconds=0.1)


class TestStartup:
    def test_everything_is_measured(self, bundle, tmp_path, capsys):
        words = ["--bundle", str(bundle), "--fresh", "1", "--answers", "20", "--out", str(tmp_path)]
        assert startup.main(words) == 0
        found = json.loads((tmp_path / "startup.json").read_text())
        assert found["import"]["cpu_ms"] > 0
        assert found["installation"]["mb"] > 100
        assert found["installation"]["torch"] is False
        assert found["opening"]["torch_loaded"] is False
        assert found["serving"]["after_answers_mb"] > 20
        assert "goal: <= 100 ms" in capsys.readouterr().out

    def test_what_is_not_installed_is_named(self, tmp_path):
        (tmp_path / "lock.txt").write_text("numpy==1.0\nno-such-library==2.0\n")
        found = startup.installation(tmp_path / "lock.txt")
        assert found["missing"] == ["no-such-library"]
        assert set(found["largest"]) == {"numpy", "inkling"}
