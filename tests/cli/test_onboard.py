"""Questions to somebody new, asked at a terminal or answered in advance."""

import json

import pytest

from inkling.cli import main


def answered(capsys, *words):
    assert main(["onboard", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def says(monkeypatch):
    """A function that puts words into the terminal; after them there is silence."""

    def say(*words):
        lines = list(words)
        prompts = []

        def read(prompt=""):
            prompts.append(prompt)
            if not lines:
                raise EOFError
            return lines.pop(0)

        monkeypatch.setattr("builtins.input", read)
        return prompts

    return say


def colour_of(option):
    return max(("red", "blue", "green"), key=lambda one: sum(item.startswith(one) for item in option["item_ids"]))


def test_answers_in_advance_lead_to_what_they_say(bundle, capsys):
    first = answered(capsys, bundle)
    assert first["question"]["text"] == "Which of these would you choose?"
    assert first["history"] == []
    place, option = next(enumerate(first["question"]["options"]))
    told = answered(capsys, bundle, "--answers", place, "-k", 4)
    assert told["history"] == option["item_ids"]
    assert len(told["answer"]["items"]) == 4
    liked = [item["item_id"].startswith(colour_of(option)) for item in told["answer"]["items"]]
    assert sum(liked) >= 2
    assert answered(capsys, bundle, "--answers=-1")["history"] == []


def test_it_asks_until_nothing_is_left_to_ask(bundle, capsys, says):
    prompts = says("x", "99", "0", "1", "1", "1")
    assert main(["onboard", str(bundle), "-k", "3"]) == 0
    told = capsys.readouterr()
    assert "Which of these would you choose?" in told.out
    assert "  0  None of these" in told.out
    assert told.err.count("Please give a number from 0 to") == 2
    assert prompts[0].startswith("Your choice (0 to ")
    assert " ms (" in told.err


def test_silence_ends_it_and_it_speaks_chinese(bundle, capsys, says):
    says("1", "")
    assert main(["onboard", str(bundle), "--language", "zh", "-k", "2"]) == 0
    assert "下面这些里，你会选哪一组？" in capsys.readouterr().out
    says()
    assert main(["onboard", str(bundle)]) == 0
    assert main(["onboard", str(bundle), "--answers", "0"]) == 0
    assert "  1  " in capsys.readouterr().out


def test_an_answer_that_is_no_option_is_refused(bundle, capsys):
    assert main(["onboard", str(bundle), "--answers", "9"]) == 2
    assert "Answer 1 is 9" in capsys.readouterr().err
