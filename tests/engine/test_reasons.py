"""Grounds into words that claim nothing else."""

from __future__ import annotations

import pytest

from inkling.engine.pipeline import Explanation
from inkling.engine.reasons import LANGUAGES, reason_of
from inkling.retrieval.base import Because

TITLES = {1: "red mug", 2: "tea pot", 3: "lamp"}


def words(kind, *because, language="en"):
    return reason_of(Explanation(kind, because, {"x": 1.0}), TITLES.get, str, language=language)


def test_items_that_it_rests_on_are_named_by_their_titles():
    grounds = [
        Because("follows", 1, 3.0),
        Because("text", 3, 2.0),
        Because("follows", 2, 1.0),
        Because("follows", 3, 0.5),
    ]
    reason = words("follows", *grounds)
    assert reason.text == "Often comes after “red mug” and “tea pot”"
    assert reason.item_ids == ("1", "2", "3")
    assert reason.contributions == {"x": 1.0}
    assert words("follows", *grounds, language="zh").text == "常在《red mug》和《tea pot》之后被选择"


def test_without_an_item_to_name_the_words_claim_none():
    assert words("because_item", Because("because_item", -1, 1.0)).text == "Fits what you did so far"
    assert words("because_item").item_ids == ()
    assert words("because_item", language="zh").text == "符合您至今的选择"


@pytest.mark.parametrize(
    ("kind", "en", "zh"),
    [
        ("repeat", "You had this before", "您以前选过"),
        ("popular", "Many people choose this now", "最近很多人选择"),
        ("query", "Matches what you asked for", "符合您的描述"),
        ("friends", "People you are connected with choose this", "您关注的人选择过"),
        ("nothing known", "Fits what you did so far", "符合您至今的选择"),
    ],
)
def test_each_language_has_its_words_and_another_falls_back(kind, en, zh):
    assert words(kind).text == words(kind, language="xx").text == en
    assert words(kind, language="zh").text == zh
    assert LANGUAGES == ("en", "zh")


def test_aspects_are_named_in_the_persons_language():
    grounds = [Because("aspect", -1, 2.0, about="price"), Because("aspect", -1, 1.0, about="strings")]
    assert words("aspect", *grounds).text == "Good at price and strings, which matters to you"
    assert words("aspect", *grounds, language="zh").text == "价格和strings口碑好，正是您看重的"
    assert words("aspect").text == "Fits what you did so far"
