import pytest

import inkling
from inkling.core.errors import RequestError


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
