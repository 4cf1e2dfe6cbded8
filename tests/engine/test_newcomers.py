import json

import pytest

import inkling
from inkling.core.errors import RequestError
from inkling.language._generate_speaker import Said
from inkling.language.generate import Generator


@pytest.fixture(scope="module")
def engine(saved):
    with inkling.open("memory://", bundle=saved) as opened:
        yield opened


def kinds(option):
    return {item_id.split("-")[0] for item_id in option.item_ids}


def test_the_first_question_parts_cats_from_cars(engine):
    found = engine.onboarding()
    assert found.history == ()
    assert found.question.text == "Which of these would you choose?"
    assert [kinds(option) for option in found.question.options[:2]] in ([{"cat"}, {"car"}], [{"car"}, {"cat"}])
    first = found.question.options[0]
    assert first.label == ", ".join(engine.get_item(item_id)["title"] for item_id in first.item_ids)


def test_an_answer_becomes_a_history_that_recommendations_follow(engine):
    options = engine.onboarding().question.options
    place = next(at for at, option in enumerate(options) if kinds(option) == {"cat"})
    history = engine.onboarding([place]).history
    assert history == options[place].item_ids
    best = engine.recommend(history=list(history), k=2).item_ids
    assert {item_id.split("-")[0] for item_id in best} == {"cat"}


def test_none_of_them_is_an_answer_too(engine):
    assert engine.onboarding([-1]).history == ()


def test_questions_speak_chinese(engine):
    found = engine.onboarding(language="zh").question
    assert (found.text, found.none) == ("下面这些里，你会选哪一组？", "都不是")


def test_an_answer_that_is_no_option_is_refused(engine):
    with pytest.raises(RequestError, match=r"Answer 1 is 9, but that question has \d options"):
        engine.onboarding([9])


def test_deleted_items_are_not_shown(saved):
    with inkling.open("memory://", bundle=saved) as engine:
        shown = engine.onboarding().question.options[0].item_ids
        engine.delete_item(shown[0])
        assert engine.onboarding().question.options[0].item_ids == shown[1:]
        assert shown[0] not in engine.onboarding([0]).history


def test_without_a_bundle_there_are_no_questions():
    with inkling.open() as engine, pytest.raises(RequestError, match="nothing was learned yet"):
        engine.onboarding()


class Wording:
    """A model that puts each group into words, or mixes them up."""

    name = "fake#1"

    def __init__(self, mix):
        self.mix = mix

    def say(self, messages, *, most_tokens):
        content = messages[1]["content"]
        items = json.loads(content[content.index("{") : content.rindex("}") + 1])["items"]
        groups = [[one["item_id"] for one in items if one["group"] == n] for n in range(items[-1]["group"] + 1)]
        if self.mix:
            groups[0], groups[1] = groups[0] + groups[1][:1], groups[1][1:] or groups[1]
        choices = [{"label": f"Kind {ids[0].split('-')[0]}", "item_ids": ids} for ids in groups]
        return Said(json.dumps({"questions": [{"question": "Cats or cars?", "choices": choices}]}), 10)


@pytest.mark.parametrize("mix", [False, True])
def test_a_generative_model_puts_questions_into_words_where_they_fit(saved, mix):
    with inkling.open("memory://", bundle=saved).write_with(Generator(Wording(mix))) as opened:
        rules = opened.onboarding().question
        assert rules.source == "rules"
        assert opened._writer.wait(10)
        asked = opened.onboarding().question
        assert [option.item_ids for option in asked.options] == [option.item_ids for option in rules.options]
        if mix:
            assert asked == rules
        else:
            assert (asked.text, asked.source) == ("Cats or cars?", "model")
            assert {option.label for option in asked.options} <= {"Kind cat", "Kind car"}
        assert opened.onboarding([0]).history == asked.options[0].item_ids
