"""recommend, similar, score, explain, erase, doctor on one small bundle."""

import json
import re
import shutil

import pytest

from inkling.cli import main


def answer(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_people_get_their_colour(bundle, capsys):
    found = answer(capsys, "recommend", bundle, "--user", "u0", "-k", 4)
    assert len(found["items"]) == 4
    assert sum(item["item_id"].startswith("red-") for item in found["items"]) >= 3


def test_the_table_shows_titles_and_reasons(bundle, capsys):
    assert main(["recommend", str(bundle), "--user", "u0", "-k", "2", "--explain"]) == 0
    told = capsys.readouterr()
    assert "contributions" in told.out
    assert "red " in told.out
    assert " ms (" in told.err


def test_reasons_in_chinese(bundle, capsys):
    english = answer(capsys, "recommend", bundle, "--user", "u0", "--explain")
    chinese = answer(capsys, "recommend", bundle, "--user", "u0", "--explain", "--language", "zh")
    han = re.compile("[\u4e00-\u9fff]")
    assert not han.search(english["items"][0]["reason"]["text"])
    assert han.search(chinese["items"][0]["reason"]["text"])


def test_a_sentence_is_enough(bundle, capsys):
    found = answer(capsys, "recommend", bundle, "--text", "a blue candle", "-k", 3)
    assert "blue-candle" in [item["item_id"] for item in found["items"]]


def test_an_answer_is_followed_up(bundle, capsys, tmp_path):
    store = ("--store", f"file://{tmp_path}/talk")
    first = answer(capsys, "recommend", bundle, "--text", "something for the table", "-k", 10, *store)
    second = answer(capsys, "recommend", bundle, "--text", "not red", "--after", first["recommendation_id"], *store)
    assert second["understood"] == ["without red"]
    assert second["items"]
    assert not any(item["item_id"].startswith("red-") for item in second["items"])
    words = ("recommend", str(bundle), "--text", "不要蓝色", "--after", second["recommendation_id"], *store)
    assert main([*words, "--language", "zh"]) == 0
    told = capsys.readouterr().err
    assert "Understood: 不含red; 不含蓝" in told
    assert "Follow it up: --after" in told
    assert main(["recommend", str(bundle), "--text", "cheaper", "--after", "nothing"]) == 2
    assert "no answer 'nothing' to follow up" in capsys.readouterr().err


def test_a_list_of_items_is_enough(bundle, capsys):
    found = answer(capsys, "recommend", bundle, "--history", "green-mug,green-bowl,green-lamp", "-k", 4)
    assert sum(item["item_id"].startswith("green-") for item in found["items"]) >= 3


def test_an_unknown_person_gets_an_answer_and_a_note(bundle, capsys):
    assert main(["recommend", str(bundle), "--user", "nobody", "-k", "3"]) == 0
    told = capsys.readouterr()
    assert "Nothing is known of 'nobody' yet." in told.err
    assert len(told.out.strip().splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["recommend", "BUNDLE"], "Nobody was asked for. Give --user ID"),
        (["recommend", "BUNDLE", "--user", "u0", "-k", "0"], "k"),
        (["recommend", "BUNDLE", "--user", "u0", "-k", "ten"], "invalid int value: 'ten'"),
        (["recommend", "BUNDLE", "--user", "u0", "--context", "country"], "expected key=value"),
        (["recommend", "nowhere", "--user", "u0"], "There is no bundle 'nowhere'"),
        (["similar", "BUNDLE", "--item", "pink-mug"], "There is no item 'pink-mug'"),
        (["score", "BUNDLE", "--user", "u0", "--items", "red-mug,pink-mug"], "There is no item 'pink-mug'"),
        (["explain", "BUNDLE", "--user", "u0", "--item", "pink-mug"], "There is no item 'pink-mug'"),
        (["serve", "BUNDLE", "--port", "70000"], "port is 70000"),
        (["serve", "BUNDLE", "--host", "0.0.0.0"], "no key is configured"),
        (["serve", "BUNDLE", "--workers", "2"], "workers is 2"),
        (["serve", "BUNDLE", "--store", "ftp://x"], "'ftp://' is unknown"),
        (["erase", "ftp://x", "--user", "u0"], "'ftp://' is unknown"),
    ],
)
def test_errors_are_one_line(words, told, bundle, capsys, monkeypatch):
    monkeypatch.delenv("INKLING_KEYS", raising=False)
    assert main([str(bundle) if word == "BUNDLE" else word for word in words]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("error: ")
    assert "Traceback" not in shown


def test_similar_items_share_words(bundle, capsys):
    found = answer(capsys, "similar", bundle, "--item", "red-mug", "-k", 5)
    ids = [item["item_id"] for item in found["items"]]
    assert "red-mug" not in ids
    assert sum(item_id.startswith("red-") for item_id in ids) >= 3
    assert main(["similar", str(bundle), "--item", "red-mug", "-k", "5"]) == 0
    told = capsys.readouterr().out
    assert all(item_id in told for item_id in ids)


def test_scores_follow_taste_and_order_of_asking(bundle, capsys):
    found = answer(capsys, "score", bundle, "--user", "u0", "--items", "blue-clock,red-mug")
    assert found["scores"][1] > found["scores"][0]
    assert all(0 <= score <= 1 for score in found["scores"])
    assert main(["score", str(bundle), "--user", "u0", "--items", "blue-clock,red-mug"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("blue-clock")
    assert lines[2].startswith("red-mug")


def test_an_explanation_names_features(bundle, capsys):
    found = answer(capsys, "explain", bundle, "--user", "u0", "--item", "red-mug")
    assert found["item_id"] == "red-mug"
    assert found["contributions"]
    assert main(["explain", str(bundle), "--user", "u0", "--item", "red-mug"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in found["contributions"])


def test_erasing_leaves_a_receipt_and_nothing_else(bundle, tmp_path, capsys):
    own = tmp_path / "b"
    shutil.copytree(bundle, own)
    receipt = answer(capsys, "erase", own, "--user", "u3")
    assert receipt["user_id"] == "u3"
    assert receipt["removed"]["bundle"] >= 14
    assert '"u3"' not in (own / "history" / "users.json").read_text()
    assert main(["erase", str(own), "--user", "u3"]) == 0
    assert "Nothing was known of 'u3'." in capsys.readouterr().out
    assert main(["erase", str(own), "--user", "u4"]) == 0
    assert "'u4' is erased" in (told := capsys.readouterr().out)
    assert "bundle: 15 rows" in told


def test_erasing_from_a_store(tmp_path, capsys):
    import inkling

    store = f"file://{tmp_path / 'store'}"
    with inkling.open(store) as engine:
        engine.observe([{"user_id": "ann", "item_id": "a"}, {"user_id": "bob", "item_id": "a"}])
    assert answer(capsys, "erase", store, "--user", "ann")["removed"]["log"] >= 1
    with inkling.open(store) as engine:
        assert engine.history("ann") == []
        assert len(engine.history("bob")) == 1


def test_doctor_of_this_machine(capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "numpy " in told
    assert "cores" in told
    assert "extra train: " in told


def test_doctor_of_good_data(shop, capsys):
    assert main(["doctor", str(shop)]) == 0
    told = capsys.readouterr().out
    assert "630 positive events" in told
    assert "Cleaning left 630 of 630 events" in told


def test_doctor_of_bad_data_asks_for_something(make_shop, tmp_path, capsys):

    folder = make_shop(tmp_path / "shop")
    with (folder / "events.csv").open("a") as file:
        file.write("u1,red-mug,soon,purchase,GB\n")
    assert main(["doctor", str(folder)]) == 1
    assert "1 rows could not be read" in capsys.readouterr().out


def test_doctor_of_bundles(bundle, tmp_path, capsys):
    assert main(["doctor", str(bundle)]) == 0
    assert "is whole" in capsys.readouterr().out
    broken = tmp_path / "b"
    shutil.copytree(bundle, broken)
    victim = broken / "history" / "users.json"
    victim.write_bytes(victim.read_bytes()[:-3])
    assert main(["doctor", str(broken)]) == 2
    assert "users.json" in capsys.readouterr().err
