"""The command: it writes what meets both limits, refuses with the nearest, and a kill leaves no half bundle."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from inkling.cli import main
from inkling.engine import compressing
from inkling.engine.bundle import Bundle
from inkling.engine.weighing import PERSON, TEXT, VECTOR, Weighed

WORDS = ["--encoders", "static", "--minutes", "0"]


def by_parts(folder):
    about = json.loads((folder / "manifest.json").read_bytes())["about"]
    ms = 1.0 + sum(name.startswith("member.") for name in about["components"])
    words = 1.0 if about["settings"]["config"]["encoder"] == "static" else 3.0
    return Weighed({PERSON: (ms / 2, ms), TEXT: (ms, ms + words), VECTOR: (words / 2, words)}, 10**8, 10.0)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(compressing, "_COSTLY_MS", 0.0)
    monkeypatch.setattr(compressing, "weigh", by_parts)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One study for the whole file: the twin is fitted once."""
    return str(tmp_path_factory.mktemp("study"))


def compress(bundle, out, study, *words):
    return main(["compress", str(bundle), "--out", str(out), "--study", study, *WORDS, *words])


def test_the_best_within_both_limits_is_written(bundle, tmp_path, study, quick, capsys):
    out, report, told = tmp_path / "fast", tmp_path / "r.html", tmp_path / "r.json"
    words = ["--budget-ms", "100", "--keep", "0.5", "--report", str(report), "--json", str(told)]
    assert compress(bundle, out, study, *words) == 0
    made, found = Bundle.read(out), json.loads(told.read_bytes())
    assert made.state.settings["compressed"]["choice"] == found["chosen"]["choice"]
    assert made.state.settings["compressed"]["of"] == Bundle.read(bundle).id
    assert made.quality == {"default": found["chosen"]["qualities"]["answers"]}
    assert found["chosen"]["ms"] <= min(one["ms"] for one in found["measured"] if one["kept"] >= 0.5) * 1.03
    assert {one["ms"] for one in found["frontier"]} <= {one["ms"] for one in found["measured"]}
    page = report.read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<circle") == len(found["measured"])
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    said = capsys.readouterr().out
    assert "The frontier" in said
    assert f"Saved as {out}" in said
    assert main(["recommend", str(out), "--user", "u0"]) == 0


def test_a_refusal_names_the_nearest_and_writes_nothing(bundle, tmp_path, study, quick, capsys):
    out, report = tmp_path / "fast", tmp_path / "r.html"
    assert compress(bundle, out, study, "--budget-ms", "0.01", "--keep", "1", "--report", str(report)) == 2
    assert not out.exists()
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "meets both limits" in error
    assert "Nothing was written" in error
    assert "The nearest is '" in error
    assert "Nothing meets both limits" in report.read_text()


def test_what_the_refusal_proposes_is_written(bundle, tmp_path, study, quick, capsys):
    out = tmp_path / "fast"
    assert compress(bundle, out, study, "--budget-ms", "0.01", "--keep", "0.9") == 2
    proposed = capsys.readouterr().err.strip().splitlines()[-1].rpartition("written with ")[2].rstrip(".").split()
    assert compress(bundle, out, study, *proposed) == 0
    assert Bundle.read(out).id


def test_the_budget_may_be_about_people_alone(bundle, tmp_path, study, quick, capsys):
    told = tmp_path / "r.json"
    words = ["--budget-ms", "100", "--keep", ".1", "--questions", "person", "--json", str(told)]
    assert compress(bundle, tmp_path / "fast", study, *words) == 0
    found = json.loads(told.read_bytes())
    assert all(one["ms"] == one["latency"]["a person"][1] for one in found["measured"])


def test_an_older_bundle_is_replaced_whole(bundle, tmp_path, study, quick):
    out = tmp_path / "fast"
    for _ in range(2):
        assert compress(bundle, out, study, "--budget-ms", "100", "--keep", ".5") == 0
    assert Bundle.read(out).id
    assert [path.name for path in tmp_path.iterdir()] == ["fast"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["BUNDLE", "--budget-ms", "0"], "expected more than 0"),
        (["BUNDLE", "--budget-ms", "1", "--keep", "1.2"], "at most 1"),
        (["BUNDLE", "--budget-ms", "1", "--minutes", "-1"], "expected 0 or more"),
        (["BUNDLE", "--budget-ms", "1", "--questions", "face"], "there is no 'face'"),
        (["BUNDLE", "--budget-ms", "1", "--report", "HERE"], "is a folder, expected a file"),
        (["BUNDLE", "--budget-ms", "1", "--encoders", "statik"], "neither made here, nor registered, nor a folder"),
        (["HERE", "--budget-ms", "1"], "There is no bundle"),
    ],
)
def test_a_wrong_word_is_one_line(words, told, bundle, tmp_path, study, quick, capsys):
    places = {"BUNDLE": str(bundle), "HERE": str(tmp_path)}
    words = [places.get(word, word) for word in words]
    assert main(["compress", *words, "--out", str(tmp_path / "out"), "--study", study]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert told in last
    assert not (tmp_path / "out").exists()


def test_a_kill_in_the_middle_leaves_no_half_bundle(bundle, tmp_path, study):
    """The process is killed while it measures; an older bundle in the place stays whole, and a second call goes on."""
    out, own = tmp_path / "fast", tmp_path / "study"
    Bundle.read(bundle).write(out)
    before = (out / "manifest.json").read_bytes()
    words = ["compress", str(bundle), "--out", str(out), "--study", str(own), "--budget-ms", "1e6", "--keep", ".1"]
    line = [sys.executable, "-c", "import sys; from inkling.cli import main; sys.exit(main(sys.argv[1:]))", *words]
    process = subprocess.Popen([*line, "--encoders", "none"], start_new_session=True, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (own / "measured.jsonl").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (out / "manifest.json").read_bytes() == before
    assert Bundle.read(out).id == Bundle.read(bundle).id
    assert (own / "measured.jsonl").read_bytes().count(b"\n") >= 1
