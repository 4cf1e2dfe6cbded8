"""Searching settings: what is found, what is kept, what a kill leaves, and that the test part has no say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("optuna", reason="the search is Optuna's")

from inkling.core.errors import ConfigError, DataError, MissingExtraError, ProtocolError, StoreError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.space import Choice, Real, Whole
from inkling.core.tables import Events
from inkling.evaluation.contenders import Baseline
from inkling.evaluation.models import BASELINES
from inkling.evaluation.tuning import Search, render_tune, tune_folder
from inkling.evaluation.tuning import tune as search_file
from inkling.evaluation.tuning.models import searched, with_settings
from inkling.evaluation.tuning.output import set_words, settings_toml
from inkling.events.folder import load_folder
from inkling.protocol.spec import ProtocolSpec
from inkling.retrieval.markov import Markov

DAY = 86_400
SCENARIO = Scenario(seen="keep")
SPACE = {"decay": Real(0.1, 1.0), "last": Whole(1, 6), "backwards": Choice((0.0, 1.0))}
SPEC = ProtocolSpec(cuts=(0.6, 0.8))


def write_shop(folder):
    """Everyone goes round five items, one a day."""
    rows = ["user_id,item_id,timestamp"]
    for day in range(24):
        for user in range(12):
            rows.append(f"u{user},{'pqrst'[(user + day) % 5]},{1_600_000_000 + day * DAY + user}")
    folder.mkdir()
    (folder / "events.csv").write_text("\n".join(rows) + "\n")
    (folder / "dataset.toml").write_text('seen = "keep"\n')
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return write_shop(tmp_path_factory.mktemp("data") / "shop")


def give_space(patch):
    patch.setattr(Markov, "space", SPACE, raising=False)
    patch.setitem(BASELINES, "markov", Baseline("markov", "markov", {}, ({}, {"last": 1})))


@pytest.fixture(autouse=True)
def space(monkeypatch):
    give_space(monkeypatch)


def tune(shop, study, *, run=None, tracking=None, models=("markov",), **options):
    options = {"trials": 12, "spec": SPEC, **options}
    return tune_folder(shop, SCENARIO, Search(models, study, **options), run=run, tracking=tracking)


@pytest.fixture(scope="module")
def found(shop, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        give_space(patch)
        return tune(shop, tmp_path_factory.mktemp("study"), trials=16)


def test_every_trial_is_kept_and_the_best_is_at_least_the_models_own(found):
    markov = found.model("markov")
    assert [trial.number for trial in markov.trials] == list(range(16))
    assert markov.trials[0].given
    assert markov.trials[0].settings == {}
    assert markov.best.value >= markov.own.value > 0.5
    searched_ones = [trial for trial in markov.trials if not trial.given]
    assert all(set(trial.settings) == set(SPACE) for trial in searched_ones)
    assert all(0.1 <= trial.settings["decay"] <= 1 and 1 <= trial.settings["last"] <= 6 for trial in searched_ones)
    assert {trial.settings["backwards"] for trial in searched_ones} == {0.0, 1.0}
    assert markov.note == ""


def test_importances_say_what_decides(found):  # all but one setting of this world do nothing
    shares = found.model("markov").importances
    assert set(shares) == set(SPACE)
    assert sum(shares.values()) == pytest.approx(1)


def test_what_is_told_can_be_used(found, tmp_path):
    markov = found.model("markov")
    text = settings_toml(found)
    import tomllib

    assert tomllib.loads(text)["models"] == {"markov": dict(markov.best.settings)}
    words = set_words(markov)
    assert all(word.startswith("--set members.markov.settings.") for word in words)
    assert len(words) == len(markov.best.settings)
    assert json.loads(found.to_json())["models"][0]["trials"][3]["number"] == 3
    ready = with_settings("markov", SCENARIO, {"last": 2})
    assert ready.choose(None, Run())["last"] == 2
    with pytest.raises(ConfigError, match="unknown key 'lost'"):
        with_settings("markov", SCENARIO, {"lost": 2}).choose(None, Run())


def test_the_page_needs_nothing_else(found):
    page = render_tune(found)
    assert "<script" not in page
    assert "http://" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert page.count("<svg") == 2 + len(SPACE)  # best so far, importances, a cloud for each setting
    assert page.count("finished</td>") == found.model("markov").count("finished")


@pytest.mark.parametrize("split", ["time", "loo", "replay"])
def test_the_test_part_has_no_say(split, tmp_path):
    spec = ProtocolSpec(split=split, cuts=(0.9,))
    reports = []
    for twist in (0, 1):
        folder = load_folder(write_shop(tmp_path / f"shop{twist}"))
        frame = folder.events.frame
        if split == "loo":  # each person's last event is the test part
            late = pl.int_range(pl.len()).over("user_id") == pl.len().over("user_id") - 1
        else:
            late = pl.col("timestamp") > frame["timestamp"].sort()[int(0.9 * frame.height)]
        other = pl.when(late & (pl.lit(twist) > 0)).then(pl.lit("p")).otherwise(pl.col("item_id"))
        changed = replace(folder, events=Events(frame.with_columns(other.alias("item_id"))))
        assert changed.events.frame.equals(frame) is (twist == 0)
        reports.append(tune(changed, tmp_path / f"study{twist}", spec=spec, trials=4))
    first, second = ([(t.settings, t.value) for t in report.models[0].trials] for report in reports)
    assert first == second


def test_a_search_goes_on_and_the_seed_is_not_drawn_again(shop, tmp_path):
    first = tune(shop, tmp_path / "study", trials=4).models[0]
    again = tune(shop, tmp_path / "study", trials=4).models[0]
    more = tune(shop, tmp_path / "study", trials=7).models[0]
    assert again.trials == first.trials == more.trials[:4]
    assert len(more.trials) == 7
    drawn = [json.dumps(trial.settings) for trial in more.trials if not trial.given]
    assert len(set(drawn)) == len(drawn)


def test_another_measurement_is_refused(shop, tmp_path):
    tune(shop, tmp_path / "study", trials=1)
    with pytest.raises(ConfigError, match=r"about another measurement: cuts, validation differ.*--study"):
        tune(shop, tmp_path / "study", trials=1, spec=ProtocolSpec(cuts=(0.7,)))


def test_one_process_at_a_time(shop, tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="locks of this kind are POSIX's")
    (tmp_path / "study").mkdir()
    with (tmp_path / "study" / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="Another process is at work in the study"):
            tune(shop, tmp_path / "study", trials=1)


CHILD = """
import sys, time
from inkling.core.scenario import Scenario
from inkling.evaluation.contenders import Baseline
from inkling.evaluation.models import BASELINES
from inkling.evaluation.tuning import Search, tune_folder
from inkling.protocol.spec import ProtocolSpec
from inkling.retrieval.markov import Markov
from inkling.core.space import Choice, Real, Whole
from inkling.evaluation.contenders import Baseline
from inkling.evaluation.models import BASELINES
BASELINES["markov"] = Baseline("markov", "markov", {}, ({}, {"last": 1}))
Markov.space = {"decay": Real(0.1, 1.0), "last": Whole(1, 6), "backwards": Choice((0.0, 1.0))}
fit, n = Markov.fit, [0]
def slow(self, data, run):
    n[0] += 1
    if n[0] > 2 * 4:  # two cuts: the fifth trial hangs
        print("hangs", flush=True)
        time.sleep(600)
    return fit(self, data, run)
Markov.fit = slow
tune_folder(sys.argv[1], Scenario(seen="keep"),
            Search(("markov",), sys.argv[2], trials=6, spec=ProtocolSpec(cuts=(0.6, 0.8))))
"""


def test_a_killed_search_loses_nothing(shop, tmp_path):
    command = [sys.executable, "-W", "error", "-c", CHILD, str(shop), str(tmp_path / "study")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "hangs\n"
        os.kill(child.pid, signal.SIGKILL)
    with (tmp_path / "study" / "trials.jsonl").open("a") as file:
        file.write('{"op_code":')  # as if the kill had come in the middle of a line
    trials = tune(shop, tmp_path / "study", trials=6).models[0].trials
    assert [trial.state for trial in trials[:4]].count("unfinished") == 0
    killed, retried = trials[4], trials[5]
    assert killed.state == "unfinished"
    assert retried.retry_of == 4
    assert retried.settings == killed.settings != {}
    assert retried.state == "finished"
    assert sum(trial.state != "unfinished" for trial in trials) == 6


def test_a_training_that_is_behind_is_stopped(shop, tmp_path, monkeypatch):
    fit, epochs = Markov.fit, []

    def slow(self, data, run):
        """Tell what it measures, a little better each epoch; the lower ``decay``, the worse."""
        epochs.append(0)
        for epoch in range(1, 6):
            run.watch("loss", epoch, 1 / epoch)
            run.watch("ndcg@10", 40 * epoch, self.config.decay + epoch / 1000)
            epochs[-1] = epoch
        return fit(self, data, run)

    monkeypatch.setattr(Markov, "fit", slow)
    markov = tune(shop, tmp_path / "study", trials=14).models[0]
    pruned = [trial for trial in markov.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.value is None and max(trial.curve) >= 3 for trial in pruned)
    assert min(epochs) == 2  # stopped when it told of the third
    assert markov.best.value == max(trial.value for trial in markov.finished)
    better = [trial.settings["decay"] for trial in markov.finished if not trial.given]
    worse = [trial.settings["decay"] for trial in pruned if not trial.given]
    assert sum(better) / len(better) > sum(worse) / len(worse)


def test_folds_prune_too(shop, tmp_path, monkeypatch):
    def worth(model, changes, folds, run, *, metric, reached):
        for number in range(len(folds)):
            reached(number, changes.get("decay", 0.6))
        return changes.get("decay", 0.6)

    monkeypatch.setattr(search_file, "worth", worth)
    markov = tune(shop, tmp_path / "study", trials=14).models[0]
    pruned = [trial for trial in markov.trials if trial.state == "pruned"]
    assert pruned
    assert all(list(trial.curve) == [1_000_000] and trial.value == trial.settings["decay"] for trial in pruned)
    assert min(trial.value for trial in pruned) < 0.6


def test_time_that_is_up_puts_a_trial_back(shop, tmp_path, monkeypatch):
    begun = []

    def fit(self, data, run):
        begun.append(1)
        for epoch in range(1, 1000):
            time.sleep(0.02)
            run.watch("ndcg@10", epoch, 0.5)

    monkeypatch.setattr(Markov, "fit", fit)
    (only,) = tune(shop, tmp_path / "study", trials=3, minutes=0.004).models[0].trials
    assert only.state == "unfinished"
    assert only.seconds > 0
    monkeypatch.undo()
    monkeypatch.setattr(Markov, "space", SPACE, raising=False)
    trials = tune(shop, tmp_path / "study", trials=len(searched("markov", SCENARIO).given)).models[0].trials
    assert any(trial.retry_of == 0 and trial.settings == only.settings for trial in trials)
    assert len(begun) == 1


def test_a_model_that_only_fails_is_left_alone(shop, tmp_path, monkeypatch):
    def fit(self, data, run):
        raise DataError("no such thing here")

    monkeypatch.setattr(Markov, "fit", fit)
    report = tune(shop, tmp_path / "study", trials=50, models=("markov", "popular"))
    assert [trial.reason for trial in report.model("markov").trials] == ["no such thing here"] * 3
    assert report.model("markov").best is None
    assert set_words(report.model("markov")) == []
    assert set(report.best_settings()) == {"popular"}
    assert "no such thing here" in render_tune(report)


def test_a_model_without_a_space_has_its_grid_alone(shop, tmp_path, monkeypatch):
    monkeypatch.delattr(Markov, "space")
    markov = tune(shop, tmp_path / "study", trials=50).models[0]
    assert all(trial.given for trial in markov.trials)
    assert len(markov.trials) == len(searched("markov", SCENARIO).given) > 1
    assert "states no space" in markov.note


def test_a_pipeline_is_searched_by_dotted_keys(shop, tmp_path, monkeypatch):
    from inkling.engine.pipelines.semantic_basic import SemanticBasic

    monkeypatch.setattr(SemanticBasic, "space", {"popularity": Real(0.0, 2.0)}, raising=False)
    model = tune(shop, tmp_path / "study", trials=4, models=("semantic_basic",)).models[0]
    assert model.kind == "pipeline"
    assert [len(trial.settings) for trial in model.trials] == [0, 1, 1, 1]
    assert set_words(model) in ([], [f"--set popularity={model.best.settings.get('popularity')}"])
    inner = searched("default", SCENARIO).settings({"members.popular.settings.half_life_days": 3.0})
    assert inner["members"]["popular"]["settings"]["half_life_days"] == 3.0


def test_a_space_that_names_no_setting_is_a_defect_of_the_model(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(Markov, "space", {"dacey": Real(0, 1)})
    with pytest.raises(ConfigError, match="unknown key 'dacey'"):
        tune(shop, tmp_path / "study")


def test_what_must_be_said(shop, tmp_path):
    with pytest.raises(ConfigError, match="A search needs an end"):
        Search(("markov",), tmp_path)
    with pytest.raises(ConfigError, match="no model named 'markof'"):
        tune(shop, tmp_path / "a", models=("markof",))
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    (tiny / "events.csv").write_text("user_id,item_id,timestamp\na,p,1600000000\nb,p,1600090000\n")
    with pytest.raises(ProtocolError, match="There are no positive events on both sides of the cut"):
        tune(tiny, tmp_path / "b")


def test_a_training_part_too_small_for_validation(shop, tmp_path):
    folder = load_folder(shop)
    few = replace(folder, events=Events(folder.events.frame.head(3)))
    with pytest.raises(ProtocolError, match="There is no validation part to search on"):
        tune(few, tmp_path / "study", spec=ProtocolSpec(cuts=(0.5,)))


def test_without_optuna_the_extra_is_named(shop, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'needs Optuna.*pip install "inkling\[train\]"'):
        tune(shop, tmp_path / "study")


def test_the_files_of_a_study_are_these(shop, tmp_path):
    tune(shop, tmp_path / "study", trials=1)
    assert {path.name for path in Path(tmp_path / "study").iterdir()} == {"trials.jsonl", "study.json", "lock"}
