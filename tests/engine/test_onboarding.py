from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import DataError, RequestError
from inkling.core.run import Run
from inkling.engine.onboarding import NONE, Onboarding, OnboardingConfig
from inkling.retrieval import build
from inkling.testing import worlds

CLUSTERS, EACH = 9, 6


def world(seed=0):
    """Nine clubs of people, each with items of its own; everyone had four of their club's six."""
    rng = np.random.default_rng(seed)
    happenings = [
        worlds.Happening(person, person % CLUSTERS * EACH + item, day + person / 1000)
        for person in range(180)
        for day, item in enumerate(rng.permutation(EACH)[:4].tolist())
    ]
    texts = [f"club {item // EACH} item {item % EACH}" for item in range(CLUSTERS * EACH)]
    return worlds.dataset(happenings, shape=(180, CLUSTERS * EACH), texts=texts)


@pytest.fixture(scope="module")
def asked():
    return Onboarding.fit(world(), Run(seed=1))


def test_after_two_answers_the_club_is_known(asked):
    data = world()
    right = []
    for person in range(CLUSTERS):
        had = np.arange(person * EACH, (person + 1) * EACH)
        answers = asked.answer(had, questions=2)
        items = asked.item_rows(answers)
        right.append(len(items) > 0 and set((items // EACH).tolist()) == {person})
        if right[-1]:
            model = build("itemknn", {"shrink": 0.0}).fit(data, Run())
            query = replace(data.query(np.array([-1], np.int32)), history=asked.history([answers], now=data.until))
            assert set((model.retrieve(query, 4).item_rows // EACH).tolist()) == {person}
    # Two questions of four options name eight clubs; whoever answers none twice is of the ninth.
    assert sum(right) >= CLUSTERS - 1


def test_options_show_what_the_same_people_take(asked):
    for rows in asked.groups.values():
        assert all(len(set((group // EACH).tolist())) == 1 for group in rows)


def test_no_item_is_shown_twice_on_one_way(asked):
    for answers, rows in asked.groups.items():
        before = [asked.groups[answers[:depth]].ravel() for depth in range(len(answers))]
        shown = np.concatenate([*before, rows.ravel()])
        assert len(set(shown.tolist())) == len(shown)


def test_the_first_question_explains_most_of_what_one_question_can(asked):
    assert 0.3 < asked.explained[()] < 1
    few = Onboarding.fit(world(), Run(seed=1), OnboardingConfig(options=2))
    assert few.explained[()] < asked.explained[()]


def test_questions_speak_two_languages(asked):
    english, chinese = asked.ask(), asked.ask(language="zh-CN")
    assert english.text == "Which of these would you choose?"
    assert english.none == "None of these"
    assert chinese.text.startswith("下面")
    assert chinese.none == "都不是"
    assert english.options[0].label.count("club") == 3
    assert asked.ask([NONE]).text == "And which of these?"


def test_asking_ends():
    short = Onboarding.fit(world(), Run(), OnboardingConfig(questions=1))
    assert short.ask([0]) is None
    assert short.answer(np.arange(6), questions=3) == short.answer(np.arange(6), questions=1)


def test_nothing_fits(asked):
    assert asked.answer(np.empty(0, np.int32), questions=2) == (NONE, NONE)
    assert len(asked.item_rows((NONE, NONE))) == 0
    assert len(asked.history([(NONE,), ()], now=5)) == 2


def test_the_same_data_give_the_same_questions(asked):
    again = Onboarding.fit(world(), Run(seed=1))
    assert again.ask() == asked.ask()


def test_arrays_bring_everything_back(asked):
    again = Onboarding.from_arrays(asked.to_arrays())
    assert [again.ask(answers) for answers in ((), (0,), (NONE,))] == [asked.ask(a) for a in ((), (0,), (NONE,))]
    assert again.explained == asked.explained


@pytest.mark.parametrize("answers", [[4], [-2], [0, 9]])
def test_an_answer_that_was_not_offered(asked, answers):
    with pytest.raises(RequestError, match=r"has \d options"):
        asked.ask(answers)


def test_data_without_events_or_people():
    with pytest.raises(DataError, match="'onboarding' cannot be fitted"):
        Onboarding.fit(worlds.dataset([], shape=(2, 3)), Run())
    nobody = worlds.shop()
    events = replace(nobody.interactions, user_rows=np.full(len(nobody.interactions), -1, np.int32))
    with pytest.raises(DataError, match="no event has a person"):
        Onboarding.fit(replace(nobody, interactions=events), Run())


def test_one_person_is_asked_nothing():
    alone = worlds.dataset([worlds.Happening(0, 0, 0), worlds.Happening(0, 1, 1)], shape=(1, 2))
    assert Onboarding.fit(alone, Run()).ask() is None
