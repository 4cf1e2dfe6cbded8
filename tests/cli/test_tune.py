"""The command: it searches, tells how to use what it found, and other commands take it."""

import json
import tomllib

import pytest

pytest.importorskip("optuna", reason="the search is Optuna's")

from inkling.cli import main


@pytest.fixture(scope="module")
def searched(shop, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned")
    words = [
        "--models",
        "popular,semantic_basic",
        "--minutes",
        "1",
        "--trials",
        "3",
        "--seen",
        "keep",
        "--people",
        "20",
    ]
    places = ["--study", str(out / "study"), "--json", str(out / "r.json"), "--report", str(out / "r.html")]
    assert main(["tune", str(shop), *words, *places, "--logs", str(out / "logs")]) == 0
    return out


def test_what_is_written(searched):
    found = json.loads((searched / "r.json").read_bytes())
    assert [model["name"] for model in found["models"]] == ["popular", "semantic_basic"]
    assert (searched / "r.html").read_text().startswith("<!doctype html>")
    settings = tomllib.loads((searched / "study" / "settings.toml").read_text())["models"]
    assert set(settings) == {"popular", "semantic_basic"}
    assert {path.name for path in (searched / "logs").iterdir()} == {"popular", "semantic_basic"}


def n_begun(folder):
    return (folder / "study" / "trials.jsonl").read_text().count('"datetime_start"')


def test_it_goes_on_and_tells(searched, shop, capsys):
    words = ["--models", "popular", "--minutes", "1", "--trials", "3", "--seen", "keep", "--people", "20"]
    before = n_begun(searched)
    assert main(["tune", str(shop), *words, "--study", str(searched / "study")]) == 0
    assert n_begun(searched) == before > 0
    told = capsys.readouterr().out
    assert "test part was not looked at" in told
    assert "popular" in told


def test_evaluate_takes_the_settings(shop, tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text('[models.popular]\ncount = "events"\nwindow_days = 3.0\n')
    words = ["--models", "popular,repeat", "--k", "5", "--settings", str(file), "--json", str(tmp_path / "r.json")]
    assert main(["evaluate", str(shop), *words]) == 0
    popular = json.loads((tmp_path / "r.json").read_bytes())["models"][0]
    (settings,) = popular["settings"].values()
    assert (settings["count"], settings["window_days"]) == ("events", 3.0)


def test_fit_takes_the_settings_and_set_goes_over_them(shop, quick, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[models.default]\nn_candidates = 50\n"members.popular.k" = 7\ndiversity = 0.5\n')
    words = ["--settings", str(file), "--set", "diversity=0", "--logs", str(tmp_path / "logs"), *quick]
    assert main(["fit", str(shop), "--out", str(tmp_path / "bundle"), *words]) == 0
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_bytes())
    config = manifest["about"]["settings"]["config"] if "about" in manifest else manifest["settings"]["config"]
    assert (config["n_candidates"], config["members"]["popular"]["k"], config["diversity"]) == (50, 7, 0.0)
    assert (tmp_path / "logs" / "fit").is_dir()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tune", "SHOP", "--minutes", "0"], "expected more than 0"),
        (["tune", "SHOP", "--minutes", "1", "--people", "0"], "expected 0 or more, and 1 or more"),
        (["tune", "SHOP", "--minutes", "1", "--json", "HERE"], "is a folder, expected a file"),
        (["tune", "SHOP", "--minutes", "1", "--track", "wandbe"], "Did you mean 'wandb'?"),
        (["evaluate", "SHOP", "--models", "repeat", "--settings", "FILE"], "tells of none of repeat"),
        (["evaluate", "SHOP", "--settings", "NONE"], "There is no file of settings"),
        (["evaluate", "SHOP", "--settings", "BAD"], "is not valid TOML"),
        (["evaluate", "SHOP", "--settings", "ODD"], "expected tables [models.NAME]"),
        (["fit", "SHOP", "--out", "OUT", "--settings", "FILE"], "not of the pipeline 'default'"),
    ],
)
def test_a_wrong_word_is_one_line(words, told, shop, tmp_path, capsys):
    contents = {"FILE": "[models.popular]\n", "BAD": "[models", "ODD": "l2 = 3\n"}
    places = {"SHOP": str(shop), "HERE": str(tmp_path), "NONE": str(tmp_path / "none"), "OUT": str(tmp_path / "out")}
    for name, content in contents.items():
        (tmp_path / name.lower()).write_text(content)
        places[name] = str(tmp_path / name.lower())
    assert main([places.get(word, word) for word in words]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert told in last
