"""Quality is kept result by result and gathered again; verdicts follow from its numbers; the page from the summary."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from bench import training
from bench.peers._known import KNOWN
from bench.quality import _command, _gather, _one, _results, _tasks, _verdicts
from bench.quality._models import Chosen, Effort, LastAction, contender, is_seeded, is_there, newest_first
from bench.quality._tasks import BASELINES, DEFAULT, MAIN, TASKS, Task, named
from inkling import datasets, scenarios
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.core.scenario import Scenario
from inkling.evaluation.contenders import Baseline
from inkling.protocol.spec import ProtocolSpec, resolve

ROOT = Path(__file__).parents[2]
DAY = 86_400_000


def result(model, ndcg, *, seed=0, rows=None, fingerprint="f", hit=None, **more):
    """A result with everybody's NDCG."""
    ndcg = np.asarray(ndcg, dtype=float)
    names = ["ndcg@10", "recall@10", "hit@1"]
    columns = np.stack([ndcg, ndcg, ndcg if hit is None else np.asarray(hit, dtype=float)], axis=1)
    about = {
        "task": "toy", "model": model, "kind": "ours", "refit": "no refit", "seed": seed, "metrics": names,
        "protocol": {"fingerprint": fingerprint, "train_fingerprint": "t", "split": "loo", "seen": "drop"},
        "settings": {"loo": {}}, "tune_s": 1.0, "fit_s": 2.0, "predict_s": 0.1, "peak_mb": 100.0 + seed,
        "latency_ms": {"p50": 1.0, "p99": 2.0}, "machine": {"when": f"2026-01-0{seed + 1}", "load_average": [0.5]},
    }  # fmt: skip
    people = np.arange(len(ndcg), dtype=np.int32) if rows is None else rows
    return _results.Result({**about, **more}, {"warm": (people, columns)})


def models(**values):
    return _gather.gathered([result(name.replace("_", "-"), value) for name, value in values.items()])


class TestTasks:
    def test_the_tasks_are_those_of_the_plan(self):
        assert [(task.data, task.seen, task.goal) for task in MAIN] == [
            ("online-retail", "keep", 0.05),
            ("online-retail", "drop", 0.10),
        ]
        assert {"beauty", "movielens-small", "musical-reviews", "insurance", "questions", "smarthome", "lastfm"} <= {
            task.data for task in TASKS
        }
        assert len({task.name for task in TASKS}) == len(TASKS)
        assert all(task.data in datasets.names() for task in TASKS)

    @pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
    def test_each_data_set_can_carry_its_split(self, task):
        info = (Path(datasets.__file__).parent / "info" / f"{task.data}.toml").read_text() if task not in MAIN else ""
        time = "none" if 'time = "none"' in info else "order" if 'time = "order"' in info else "real"
        spec = resolve(ProtocolSpec(split=task.split, cuts=task.cuts, seen=task.seen), Scenario(time=time))
        assert spec.seen == task.seen
        assert not (time == "none" and set(task.models) & {*_tasks.WINDOWS, *_tasks.SEQUENCE})

    def test_what_was_refitted_is_said(self):
        assert [named(name).refits for name in ("beauty", "beauty-refit", "insurance", "smarthome", "lastfm")] == [
            "no refit", "refit", "to the cut", "as given", "no refit",
        ]  # fmt: skip

    def test_words_stand_for_models(self):
        assert _tasks.chosen(named("beauty"), ["sequence", "ease"]) == ("ease", *_tasks.SEQUENCE)
        assert _tasks.chosen(named("beauty"), ["all"]) == named("beauty").models
        assert _tasks.chosen(named("lastfm"), ["popular-7d"]) == ()
        assert _tasks.unknown(["baselines", "sasrec", "poplar"]) == ["poplar"]


class TestModels:
    def test_the_last_action_comes_first(self):
        history = History.of_items(Jagged.from_lists([[3, 1, 3, 2], [], [4]]))
        now, rows = np.zeros(3, dtype=np.int64), np.full(3, -1, dtype=np.int32)
        query = Query(history, now, 5, rows, allowed=np.array([1, 1, 0, 1, 1], dtype=bool))
        answer = newest_first(query, 2)
        assert [answer.rows_of(person).tolist() for person in range(3)] == [[3, 1], [], [4]]
        dropped = Query(history, now, 5, rows, exclude=Jagged.from_lists([[3], [], [4]]))
        assert [newest_first(dropped, 2).rows_of(person).tolist() for person in range(3)] == [[2, 1], [], []]

    def test_a_name_is_ours_or_a_peers(self):
        told = []
        scenario, task = Scenario(), named("lastfm")
        assert isinstance(contender("last-action", task, scenario, Effort(), told), LastAction)
        assert contender("implicit-als", task, scenario, Effort(limit_s=7), told).limit_s == 7
        assert contender("ease", task, scenario, Effort(), told).fixed["max_items"] == 6000
        assert contender(DEFAULT, task, scenario, Effort(minutes=2), told).minutes == 2
        assert len(contender("markov", task, scenario, Effort(quick=True), told).grid) == 1

    def test_what_is_drawn_needs_seeds(self):
        assert is_seeded("sasrec")
        assert is_seeded("rectools-sasrec")
        assert not is_seeded("ease")
        assert not is_seeded("implicit-bm25")

    def test_a_model_that_this_version_lacks_is_named(self):
        assert all(is_there(name) for name in ("ease", "popular-7d", DEFAULT, "last-action"))
        assert not is_there("crystal-ball")
        assert _command.lacking("crystal-ball") == "this version has no such model"

    def test_kept_settings_are_taken_over(self):
        class Part:
            name = "loo"
            validation = None

        made = Chosen(Baseline("ease", "ease", grid=({"l2": 1.0},)), {"loo": {"l2": 5.0}})
        assert made.choose(Part(), None) == {"l2": 5.0}
        Part.name = "other"
        assert made.choose(Part(), None) == {"l2": 1.0}


class TestClock:
    def test_epochs_are_counted_and_the_walk_through_folds_is_not(self):
        clock = _one.Clock()
        for stage, done, total in [("sasrec", 0, 5), ("sasrec", 0, 3), ("sasrec", 1, 3), ("sasrec", 2, 3)]:
            clock(stage, done, total)
        clock("sasrec", 1, 5)
        assert clock.epochs("sasrec", n_folds=5)["epochs"] == 2
        assert clock.epochs("sasrec", n_folds=5)["s_per_epoch"] >= 0
        assert clock.epochs("ease", n_folds=5) == {}


class TestResults:
    def test_what_is_written_is_read(self, tmp_path):
        place = _results.Place(tmp_path, "toy", "popular-7d", 2)
        assert _results.read(place) is None
        _results.write(place, result("popular-7d", [0.1, 0.3], seed=2))
        found = _results.read(place)
        assert found.about["seed"] == 2
        assert found.values["warm"][1][:, 0].tolist() == [0.1, 0.3]
        _results.write_settings(place, {"loo": {"l2": 1.0}}, 3.0)
        assert _results.read_settings(place) == ({"loo": {"l2": 1.0}}, 3.0)
        _results.forget(place)
        assert list(place.folder.iterdir()) == []
        assert _results.read_settings(place) == ({}, 0.0)

    def test_an_older_protocol_is_left_out(self):
        old, new = result("a", [0.1], fingerprint="old"), result("b", [0.2], seed=1, fingerprint="new")
        assert _results.agreeing([old, new]) == [new]
        assert _results.agreeing([]) == []


class TestGather:
    def test_seeds_are_averaged_and_their_spread_told(self):
        found = _gather.gathered([result("sasrec", [0.2, 0.4]), result("sasrec", [0.4, 0.6], seed=1)])
        report = _gather.report(found, resamples=50)
        value = report.models[0].metrics["ndcg@10"]
        assert value.value == pytest.approx(0.4)
        assert value.seed_sd == pytest.approx(np.std([0.3, 0.5], ddof=1))
        assert (report.models[0].seeds, report.models[0].peak_mb) == ((0, 1), 101.0)
        assert _gather.beside(found)["sasrec"]["epochs"] is None

    def test_default_is_paired_with_everyone(self):
        report = _gather.report(models(ease=[0.1, 0.2, 0.3], default=[0.2, 0.3, 0.4]), resamples=50)
        gap = report.model("ease").paired
        assert (gap.difference, gap.ratio) == (pytest.approx(0.1), pytest.approx(1.5))
        assert report.model("default").paired is None

    def test_other_people_are_not_compared(self):
        a, b = result("a", [0.1, 0.2]), result("b", [0.1, 0.2], rows=np.array([0, 5], dtype=np.int32))
        found = _gather.gathered([a, b])
        with pytest.raises(ValueError, match="a and b were not measured on the same people"):
            _gather.against(found["a"], found["b"])


class TestVerdicts:
    def test_default_may_lie_a_little_below_the_best(self):
        base = np.linspace(0.1, 0.5, 40)
        fine = _verdicts.not_below_best("toy", models(ease=base, default=base * 0.99))
        assert fine.reached
        assert "-1.0%" in fine.said
        assert not _verdicts.not_below_best("toy", models(ease=base, default=base * 0.9)).reached

    def test_the_best_single_may_be_a_peers(self):
        found = models(ease=[0.1], rectools_sasrec=[0.3], default=[0.2], default_frozen=[0.9])
        assert _verdicts.best_single(found).name == "rectools-sasrec"

    def test_numbers_are_reached_or_not(self):
        found = {"beauty": models(sasrec=[0.0940, 0.0920], markov=[0.05, 0.05])}
        said = {one.promise: one.reached for one in _verdicts.verdicts(named("beauty"), found)}
        assert said["sasrec ndcg@10 at least 0.0531"] is True
        assert said["sasrec is fitted within 900 s"] is True
        assert said["default ndcg@10 at least 0.061"] is None
        assert "no refit" in _verdicts.verdicts(named("beauty"), found)[0].line()

    def test_the_last_action_is_beaten_by_five_points(self):
        def found(ours):
            both = [result("last-action", [0.1] * 4, hit=[1, 0, 1, 0]), result("default", [0.1] * 4, hit=ours)]
            return {"smarthome": _gather.gathered(both)}

        assert _verdicts.verdicts(named("smarthome"), found([1, 1, 1, 0]))[0].reached
        assert not _verdicts.verdicts(named("smarthome"), found([1, 0, 1, 0]))[0].reached

    def test_links_are_judged_across_two_tasks(self):
        found = {"lastfm": models(default=[0.3, 0.4]), "lastfm-alone": models(default=[0.2, 0.4])}
        assert _verdicts.verdicts(named("lastfm"), found)[-1].reached
        assert _verdicts.verdicts(named("lastfm"), {"lastfm": found["lastfm"]})[-1].reached is None

    def test_the_readme_s_goals_are_over_baselines_alone(self):
        base = np.linspace(0.1, 0.5, 40)
        found = {MAIN[0].name: models(ease=base, sasrec=base * 2, default=base * 1.06, popular_7d=base / 2)}
        said = {one.promise: one for one in _verdicts.verdicts(MAIN[0], found)}
        assert said["default +5% or more above the best baseline"].reached
        assert said["default above popular-7d in ndcg@10"].reached
        assert not said["default not below the best single by more than 3% (lower end)"].reached

    def test_what_was_not_measured_is_not_judged(self):
        said = [one for task in TASKS for one in _verdicts.verdicts(task, {})]
        assert said
        assert all(one.reached is None and one.line().endswith("not measured") for one in said)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A tiny shop in the place of every data set."""
    rows = [
        {"user_id": f"u{user}", "item_id": f"i{(user + step) % 12}", "event": "purchase",
         "timestamp": 1_600_000_000_000 + (step * 3 + user % 3) * DAY + user * 1000}
        for user in range(30) for step in range(6)
    ]  # fmt: skip
    folder = tmp_path / "toy"
    folder.mkdir()
    pl.DataFrame(rows).write_parquet(folder / "events.parquet")
    pl.DataFrame([{"item_id": f"i{n}", "title": f"thing {n}", "price": 1.0} for n in range(12)]).write_parquet(
        folder / "items.parquet"
    )
    (folder / "dataset.toml").write_text('time = "real"\n[positive]\npurchase = 1.0\n')
    monkeypatch.setattr(datasets, "load", lambda name, root: datasets.catalog.load_folder(folder))
    monkeypatch.setattr(scenarios, "load", lambda name: Scenario(positive={"purchase": 1.0}))
    return tmp_path


class TestOne:
    def test_a_model_is_measured_and_kept_and_its_settings_are_shared(self, shop):
        task, out = Task("toy", "toy", "keep", models=("popular", "itemknn")), shop / "out"
        (first,) = _one.measure(task, "itemknn", [0], root=None, out=out, effort=Effort(quick=True))
        assert first.about["refit"] == "to the cut"
        assert first.about["protocol"]["split"] == "time"
        (second,) = _one.measure(task, "itemknn", [0, 1], root=None, out=out, effort=Effort(quick=True))
        assert second.about["seed"] == 1
        assert second.about["tune_s"] == first.about["tune_s"]
        assert second.about["settings"] == first.about["settings"]
        _one.measure(task, "popular", [0], root=None, out=out, effort=Effort(quick=True))
        found = _command.kept(task, out)
        assert [(name, len(one.results)) for name, one in found.items()] == [("popular", 1), ("itemknn", 2)]
        assert np.array_equal(found["popular"].rows(), found["itemknn"].rows())

    def test_refit_learns_the_validation_event_and_nothing_else(self, shop):
        plain = _one.lay_out(Task("a", "toy", "drop", split="loo"), None, (0,)).folds[0]
        refit = _one.lay_out(Task("b", "toy", "drop", split="loo", refit=True), None, (0,)).folds[0]
        assert len(refit.train.interactions) - len(plain.train.interactions) == 30
        assert len(refit.train.interactions) == len(refit.history)
        assert np.array_equal(refit.targets.values, plain.targets.values)
        assert len(refit.validation.train.interactions) == len(plain.train.interactions)
        assert refit.train.fingerprint != plain.train.fingerprint

    def test_columns_and_links_can_be_left_out(self, shop):
        whole = _one.lay_out(Task("a", "toy", "keep"), None, (0,)).folds[0]
        bare = _one.lay_out(Task("b", "toy", "keep", without=("title", "links")), None, (0,)).folds[0]
        assert "title" in whole.train.items.frame.columns
        assert "title" not in bare.train.items.frame.columns
        assert bare.train.links is None
        assert np.array_equal(bare.candidates, whole.candidates)


class TestCommand:
    def test_without_words_it_is_the_readme_s(self):
        tasks, jobs = _command.asked(_command.parser().parse_args([]))
        assert [task.name for task in tasks] == ["online-retail-keep", "online-retail-drop"]
        assert [job.model for job in jobs[: len(jobs) // 2]] == [*BASELINES, DEFAULT]

    def test_only_what_is_drawn_is_repeated(self):
        words = ["--tasks", "beauty", "--models", "ease,sasrec", "--peers", "implicit-als,implicit-bm25"]
        _, jobs = _command.asked(_command.parser().parse_args([*words, "--seeds", "0,1,2"]))
        count = {job.model: len(job.seeds) for job in jobs}
        assert count == {"ease": 1, "sasrec": 3, "implicit-als": 3, "implicit-bm25": 1}

    def test_a_word_that_stands_for_nothing_ends_it(self, capsys):
        assert _command.main(["--tasks", "beuty", "--peers", "surprise", "--models", "poplar"]) == 2
        assert "Not known: beuty, poplar, surprise." in capsys.readouterr().err

    def test_peers_alone(self):
        told = _command.parser().parse_args(["--tasks", "beauty", "--models", "none", "--peers", "all"])
        _, jobs = _command.asked(told)
        assert [job.model for job in jobs] == list(KNOWN)

    def test_each_result_is_a_process_and_a_killed_run_goes_on(self, tmp_path, monkeypatch, capsys):
        ran = []

        def run(job, told, out):
            ran.append((job.task.name, job.model, job.seeds))
            if job.model == "markov":
                return "it fell over"
            for place in job.places(out):
                _results.write(place, result(job.model, [0.1, 0.2], task=job.task.name, seed=place.seed))
            return ""

        monkeypatch.setattr(_command, "run", run)
        words = ["--tasks", "lastfm,insurance", "--models", "popular,markov", "--out", str(tmp_path)]
        assert _command.main(words) == 1
        assert ran == [("lastfm", "popular", (0,)), ("insurance", "popular", (0,)), ("insurance", "markov", (0,))]
        assert "insurance markov: it fell over" in capsys.readouterr().out
        ran.clear()
        _command.main(words)
        assert ran == [("insurance", "markov", (0,))]
        ran.clear()
        _command.main([*words, "--show"])
        assert ran == []
        _command.main([*words, "--fresh"])
        assert len(ran) == 3
        kept = json.loads((tmp_path / "quality-insurance.json").read_text())
        assert kept["report"]["models"][0]["name"] == "popular"
        assert {"verdicts", "beside", "refit", "machine"} <= set(kept)

    def test_what_would_run_can_be_listed(self, tmp_path, capsys):
        assert _command.main(["--tasks", "lastfm", "--models", "popular", "--out", str(tmp_path), "--list"]) == 0
        assert capsys.readouterr().out.split() == ["lastfm", "popular", "0"]

    def test_what_a_process_said_last_is_told(self, tmp_path):
        told = _command.parser().parse_args(["--data", str(tmp_path)])
        job = _command.Job(named("beauty"), "popular", (0,))
        assert "Error" in _command.run(job, told, tmp_path)

    def test_where_the_public_sets_lie(self, monkeypatch, tmp_path):
        monkeypatch.delenv("INKLING_DATA", raising=False)
        assert _command.public(None) == ROOT.parent / "shared" / "data"
        assert _command.public(tmp_path) == tmp_path
        monkeypatch.setenv("INKLING_DATA", "somewhere")
        assert _command.public(None) is None

    def test_a_table_shows_quality_and_price(self):
        found = models(ease=[0.1, 0.2], default=[0.2, 0.3])
        console = Console(width=150, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
        with console.file:
            console.print(
                _command.table(named("smarthome"), _gather.report(found, resamples=20), _gather.beside(found))
            )
        shown = console.export_text()
        assert shown.index("default") < shown.index("ease")
        assert "0.2500 (" in shown
        assert "hit@1" in shown


def curve(*points):
    return [{"epochs": e, "fit_s": s, "s_per_epoch": s / e, "ndcg@10": q} for e, s, q in points]


class TestTraining:
    def test_seconds_are_read_off_between_the_points(self):
        known = curve((1, 10, 0.02), (2, 20, 0.04))
        assert training.seconds_to(known, 0.03) == pytest.approx(15)
        assert training.seconds_to(known, 0.01) == pytest.approx(5)
        assert training.seconds_to(known, 0.05) == float("inf")

    def test_equal_quality_is_what_both_reach(self):
        found = training.compared(curve((1, 1, 0.03), (2, 2, 0.05)), curve((1, 10, 0.02), (2, 20, 0.04)), 3.0)
        assert found["quality"] == 0.04
        assert found["times"] == pytest.approx(20 / 1.5)
        assert found["epoch_times"] == pytest.approx(10)
        assert found["reached"]
        assert "reached (1.5 s against 20.0 s" in training.verdict("peer", found)

    def test_nobody_stops_early(self):
        _, ours = training.fixed("sasrec", {"dim": 8, "epochs": 30}, 4, 1)
        assert ours == {"dim": 8, "epochs": 4, "patience": 0, "validation": 0.0, "max_seconds": 0.0}
        made, theirs = training.fixed("rectools-sasrec", {}, 4, 1)
        assert (made.limit_s, theirs["epochs"]) == (0.0, 4)

    def test_the_settings_are_those_that_quality_chose(self, tmp_path):
        assert training.settings_of("sasrec", "beauty", tmp_path) == {}
        _results.write_settings(_results.Place(tmp_path, "beauty", "sasrec", 0), {"loo": {"dim": 32}}, 1.0)
        assert training.settings_of("sasrec", "beauty", tmp_path) == {"dim": 32}


def script():
    spec = importlib.util.spec_from_file_location("quality_doc", ROOT / "scripts" / "quality_doc.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["quality_doc"] = module
    spec.loader.exec_module(module)
    return module


class TestPage:
    def test_the_page_is_as_written_from_the_summary(self):
        made = script()
        assert made.render(json.loads(made.SUMMARY.read_bytes())) == made.PAGE.read_text(encoding="utf-8")

    def test_the_summary_holds_what_was_kept(self, tmp_path):
        found = {"insurance": models(ease=[0.1, 0.2], popular_7d=[0.1, 0.1], default=[0.2, 0.3])}
        _command.show(named("insurance"), found, tmp_path, Console(quiet=True))
        made = script()
        summary = made.collected(tmp_path, {"tasks": [{"name": "older"}]})
        assert [task["name"] for task in summary["tasks"]] == ["insurance", "older"]
        page = made.render({"tasks": summary["tasks"][:1]})
        assert "| **default** | 0.2500 (" in page
        assert page.index("| **default**") < page.index("| ease |")
        assert "Fingerprint `f`" in page
        assert "- default above popular-7d in ndcg@10: reached (" in page

    def test_training_is_told_beside(self):
        found = training.compared(curve((1, 1, 0.03), (2, 2, 0.05)), curve((1, 10, 0.02), (2, 20, 0.04)), 30.0)
        page = script().render(
            {"tasks": [], "training": {"threads": 2, "task": "beauty", "compared": {"rectools-sasrec": found}}}
        )
        assert "rectools-sasrec: 13.3 times as fast to NDCG@10 0.0400" in page
        assert "**missed**" in page
