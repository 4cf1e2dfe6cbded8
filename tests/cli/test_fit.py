import json

import pytest

from inkling.cli import main


def test_what_was_read_cleaned_and_chosen_is_told(shop, tmp_path, capsys, quick):
    assert main(["fit", str(shop), "--out", str(tmp_path / "b"), *quick]) == 0
    told = capsys.readouterr().out
    assert "events.csv: 630 rows" in told
    assert "Cleaning left 630 of 630 events" in told
    assert "  duplicates: nothing to do" in told
    assert all(word in told for word in ("member", "weight", "alone", "without", "semantic", "repeat"))
    assert "scenario retail, pipeline default" in told
    saved = json.loads((tmp_path / "b" / "manifest.json").read_bytes())
    assert saved["about"]["settings"]["config"]["n_windows"] == 1
    assert saved["about"]["scenario"]["name"] == "retail"


def test_the_command_line_has_the_last_word(shop, tmp_path, quick):
    out = tmp_path / "b"
    words = ["--set", "scenario.seen=drop", "--set", "scenario.cleaning.duplicates=false", "--set", "diversity=0.25"]
    assert main(["fit", str(shop), "--out", str(out), *quick, *words, "--scenario", "retail"]) == 0
    about = json.loads((out / "manifest.json").read_bytes())["about"]
    assert about["scenario"]["seen"] == "drop"
    assert about["scenario"]["cleaning"]["duplicates"] is False
    assert about["settings"]["config"]["diversity"] == 0.25


def test_the_same_seed_learns_the_same(shop, tmp_path, quick):
    for name in ("a", "b"):
        assert main(["fit", str(shop), "--out", str(tmp_path / name), *quick, "--seed", "3"]) == 0
    first, second = (json.loads((tmp_path / name / "manifest.json").read_bytes()) for name in ("a", "b"))
    assert first["about"]["settings"]["weights"] == second["about"]["settings"]["weights"]


def test_rejects_are_put_aside_and_named(make_shop, tmp_path, capsys, quick):
    folder = make_shop(tmp_path / "shop")
    with (folder / "events.csv").open("a") as file:
        file.write("u1,red-mug,yesterday,purchase,GB\n")
    out = tmp_path / "out" / "b"
    assert main(["fit", str(folder), "--out", str(out), *quick]) == 0
    assert "1 rows put aside" in (told := capsys.readouterr().out)
    assert "yesterday" in told
    rows = [json.loads(line) for line in (tmp_path / "out" / "b.rejects.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rows] == [632]


def test_a_store_is_learned_from(tmp_path, capsys, quick):
    import inkling

    store = f"file://{tmp_path / 'store'}"
    events = [
        {
            "user_id": f"u{user}",
            "item_id": f"i{(user + step) % 6}",
            "event": "purchase",
            "timestamp": 1_600_000_000 + 60 * step + user,
        }
        for user in range(12)
        for step in range(5)
    ]
    with inkling.open(store) as engine:
        engine.observe(events)
    out = tmp_path / "b"
    assert main(["fit", store, "--out", str(out), "--scenario", "retail", *quick]) == 0
    assert "Learned from 60 events of 12 people with 6 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "--out", "b"], "'nowhere' is neither a folder nor a known data set"),
        (["beauty", "--out", "b"], "The data set 'beauty' is not bundled"),
        (["online-retial", "--out", "b"], "Did you mean 'online-retail'?"),
        (["SHOP", "--out", "b", "--set", "n_window=1"], "Did you mean 'n_windows'?"),
        (["SHOP", "--out", "b", "--set", "n_windows"], "expected key=value"),
        (["SHOP", "--out", "b", "--set", "scenario.seen=sometimes"], "Invalid enum value 'sometimes'"),
        (["SHOP", "--out", "b", "--scenario", "shop"], "There is no scenario named 'shop'"),
        (["SHOP", "--out", "b", "--scenario", "mine.toml"], "There is no scenario file 'mine.toml'"),
        (["SHOP", "--out", "SHOP"], "exists and is no bundle"),
        (["SHOP", "--out", "b", "--minutes", "soon"], "invalid float value: 'soon'"),
    ],
)
def test_a_wrong_word_is_one_line(words, told, shop, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INKLING_DATA", raising=False)
    assert main(["fit", *(str(shop) if word == "SHOP" else word for word in words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert told in lines[-1]
    assert lines[-1].startswith("error: ")
    assert not (tmp_path / "b").exists()


def test_a_folder_without_events(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["fit", str(tmp_path / "empty"), "--out", str(tmp_path / "b")]) == 2
    assert "'empty' holds no events; it holds nothing" in capsys.readouterr().err


def test_a_scenario_of_ones_own(shop, tmp_path, quick):
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\nseen = "drop"\n[positive]\npurchase = 2.0\n')
    out = tmp_path / "b"
    assert main(["fit", str(shop), "--out", str(out), "--scenario", str(own), *quick]) == 0
    assert json.loads((out / "manifest.json").read_bytes())["about"]["scenario"]["positive"] == {"purchase": 2.0}
