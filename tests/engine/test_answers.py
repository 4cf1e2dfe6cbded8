"""The last answers, as the log tells them."""

from __future__ import annotations

import logging

import pytest

from inkling.core.errors import NotFoundError
from inkling.engine.answers import Answers, Chain, Given, Limit
from inkling.stores.base import Changes


def impression(answer_id, **more):
    return {"recommendation_id": answer_id, "item_ids": ["1", "2"], "timestamp": 1, **more}


def test_an_impression_becomes_an_answer():
    answers = Answers()
    asked = {"text": "mug", "limits": [{"field": "price", "op": "lt", "value": 3.5}]}
    answers.apply(Changes("impressions", (impression("a", user_id="ann", asked=asked), impression("b"))))
    answers.apply(Changes("events", ({"item_id": "1"},)))
    assert answers.get("a") == Given(("1", "2"), {"user_id": "ann"}, Chain("mug", (Limit("price", "lt", 3.5),)))
    assert answers.get("b") == Given(("1", "2"), {})
    with pytest.raises(NotFoundError, match=r"no answer 'c' to follow up\. Give the recommendation_id"):
        answers.get("c")


def test_the_oldest_leave():
    answers = Answers(most=3)
    for n in range(5):
        answers.put(str(n), Given((), {}))
    assert len(answers) == 3
    assert answers.get("2")
    with pytest.raises(NotFoundError, match="one of the last 3 answers"):
        answers.get("1")


def test_a_question_of_another_form_is_passed_over(caplog):
    answers = Answers()
    with caplog.at_level(logging.WARNING, logger="inkling"):
        answers.apply(Changes("impressions", (impression("a", asked={"colour": "red"}),)))
    assert answers.get("a").chain == Chain()
    assert "cannot be read" in caplog.text


def test_a_person_is_forgotten_with_their_sessions():
    answers = Answers()
    for answer_id, who in (("a", {"user_id": "ann"}), ("b", {"session_id": "s1"}), ("c", {"session_id": "s2"})):
        answers.put(answer_id, Given((), who))
    rows = {("ann", None): 0, (None, "s1"): 0}
    answers.forget("ann", lambda user, session: rows.get((user, session), -1))
    assert len(answers) == 1
    assert answers.get("c").who == {"session_id": "s2"}
